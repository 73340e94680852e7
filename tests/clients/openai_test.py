"""OpenAI's own Python client against a running server.

usage: TUTTI_WEB_URL=http://127.0.0.1:8000 openai_test.py
"""
import os
import pathlib
import re
import unittest

import openai

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RECORDING = ROOT / ".cache/samples/prompts/agent-loginok.g722"
TEXT = "agent logged in"
SPOKEN = "(?i)agent logged in"  # as Whisper writes it


class OpenAi(unittest.TestCase):
    def setUp(self):
        client = openai.OpenAI(base_url=os.environ["TUTTI_WEB_URL"].rstrip("/") + "/v1", api_key="none", max_retries=0)
        self.addCleanup(client.close)
        self.models = client.models
        self.transcriptions, self.translations = client.audio.transcriptions, client.audio.translations

    def create(self, path=RECORDING, **options):
        with open(path, "rb") as recording:
            return self.transcriptions.create(file=recording, **{"model": "whisper-1", **options})

    def test_json_is_the_default(self):
        answer = self.create(prompt="agent", temperature=0.5, language="en")
        self.assertEqual(answer.text, TEXT)
        self.assertEqual(answer.usage.type, "duration")

    def test_text_srt_and_vtt_are_text(self):
        self.assertEqual(self.create(response_format="text"), TEXT + "\n")
        self.assertRegex(self.create(response_format="srt"), rf"1\n00:00:0\d,\d{{3}} --> 00:00:0\d,\d{{3}}\n{TEXT}\n")
        self.assertRegex(self.create(response_format="vtt"), rf"WEBVTT\n\n00:00.*{TEXT}\n|WEBVTT\n\n[^\n]*\n{TEXT}\n")

    def test_verbose_json_has_segments_with_times(self):
        answer = self.create(response_format="verbose_json", timestamp_granularities=["segment", "word"])
        self.assertEqual((answer.text, [each.text for each in answer.segments]), (TEXT, [TEXT]))
        self.assertGreater(answer.segments[0].end, answer.segments[0].start)
        self.assertEqual(answer.words, [])  # this model has no times of words
        self.assertGreater(answer.duration, 1)

    def test_a_stream_has_the_text_in_pieces_and_whole(self):
        *deltas, done = list(self.create(stream=True))
        self.assertEqual("".join(event.delta for event in deltas), TEXT)
        self.assertEqual((done.type, done.text), ("transcript.text.done", TEXT))

    def test_models_are_listed_and_found(self):
        models = self.models.list().data
        self.assertEqual([model.id for model in models], ["demo-paraformer", "whisper-base"])
        for model in models:
            self.assertEqual(self.models.retrieve(model.id), model)
        self.assertEqual(self.create(model=models[0].id).text, TEXT)
        self.assertEqual((models[0].languages, models[0].tasks), ([], ["transcribe"]))
        self.assertEqual((len(models[1].languages), models[1].tasks), (99, ["transcribe", "translate"]))

    def test_whisper_tells_language_figures_and_times_of_words(self):
        answer = self.create(model="whisper-base", response_format="verbose_json",
                             timestamp_granularities=["segment", "word"])
        self.assertEqual(answer.language, "english")
        self.assertRegex(answer.text, SPOKEN)
        [segment] = answer.segments
        self.assertRegex(segment.text, SPOKEN)
        self.assertTrue(segment.tokens and segment.seek >= 0 and segment.temperature == 0)
        self.assertTrue(segment.avg_logprob < 0 <= segment.no_speech_prob < 0.6)
        self.assertGreater(segment.compression_ratio, 0)
        self.assertEqual([each.word.strip(" ,.").lower() for each in answer.words], TEXT.split())
        self.assertTrue(all(each.start <= each.end <= answer.duration for each in answer.words))

    def test_whispers_text_is_the_same_in_every_format_and_divided_as_subtitles_are(self):
        call = {"path": ROOT / ".cache/samples/calls/call_01.g722", "model": "whisper-base", "language": "en"}
        text = self.create(**call).text
        self.assertEqual(self.create(**call, response_format="text"), text + "\n")
        verbose = self.create(**call, response_format="verbose_json")
        cues = re.findall(r"^\d+\n(\S+) --> (\S+)\n(.*)\n\n", self.create(**call, response_format="srt"), re.M)
        for parts in (verbose.segments, cues):
            self.assertGreater(len(parts), 10, "of a minute and a half")
        self.assertEqual((verbose.text, " ".join(each.text for each in verbose.segments)), (text, text))
        self.assertEqual([each.text for each in verbose.segments], [line for _, _, line in cues])
        self.assertLessEqual(max(each.end - each.start for each in verbose.segments), 7)

    def test_whispers_options_are_those_of_the_request(self):
        plain = self.create(model="whisper-base", language="en").text
        self.assertRegex(plain, SPOKEN)
        self.create(model="whisper-base", language="de", prompt="Guten Tag", temperature=0.5)
        self.assertEqual(self.create(model="whisper-base", language="en").text, plain)
        self.assertEqual(self.create(model="whisper-base", language="english").text, plain)
        with self.assertRaises(openai.BadRequestError) as raised:
            self.create(model="whisper-base", language="xx")
        self.assertEqual(raised.exception.param, "language")

    def test_translations_are_english(self):
        with open(RECORDING, "rb") as recording:
            answer = self.translations.create(file=recording, model="whisper-base", response_format="verbose_json")
        self.assertEqual(answer.language, "english")
        self.assertRegex(answer.text, SPOKEN)
        with open(RECORDING, "rb") as recording, self.assertRaises(openai.BadRequestError) as raised:
            self.translations.create(file=recording, model="demo-paraformer")
        self.assertEqual(raised.exception.param, "model")

    def test_errors_are_the_clients_exceptions(self):
        with self.assertRaises(openai.NotFoundError) as raised:
            self.create(model="gpt-4o-transcribe")
        self.assertIn("demo-paraformer", raised.exception.message)
        with self.assertRaises(openai.BadRequestError) as raised:
            self.create(response_format="diarized_json")
        self.assertEqual(raised.exception.param, "response_format")
        with self.assertRaises(openai.BadRequestError):
            self.transcriptions.create(file=("noise.wav", b"no audio"), model="whisper-1")


if __name__ == "__main__":
    unittest.main()
