"""Every call and every format gives what the command line gives."""
import concurrent.futures
import json
import unittest

import client
import program

CLIENTS = 16


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = program.recordings(*((3, 0) if program.SMALL else (9, 3)))
        cls.expected = program.transcribe(cls.files)
        cls.server = program.Server("--log-level", "warning")
        cls.addClassCleanup(cls.server.__exit__)

    def check_all(self, check):
        """check(file, what the command line gives) for each file, by many clients at once."""
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            for done in [clients.submit(check, file, self.expected[file]) for file in self.files * 2]:
                done.result()

    def post(self, path, file, part="file", **fields):
        answer = client.post_file(self.server.port, path, file, fields, part)
        self.assertEqual(answer.status, 200, answer.text)
        return answer

    def test_transcribe_gives_each_format_as_the_command_line_writes_it(self):
        def check(file, expected):
            for form in ("txt", "srt", "vtt", "tsv"):
                self.assertEqual(self.post("/v1/transcribe", file, format=form).text, expected[form])
            transcript = self.post("/v1/transcribe", file).json
            self.assertEqual(transcript["file"], file.name)
            self.assertEqual(program.same_for_all_runs(transcript), program.read(expected["json"]))
        self.check_all(check)

    def test_transcribe_takes_the_recording_as_the_body(self):
        def check(file, expected):
            answer = client.call(self.server.port, "POST", f"/v1/transcribe?name={file.name}&format=srt",
                                 file.read_bytes(), {"Content-Type": "application/octet-stream"})
            self.assertEqual((answer.status, answer.text), (200, expected["srt"]))
        self.check_all(check)

    def test_transcribe_takes_a_body_in_chunks(self):
        def check(file, expected):
            for size in (100, 1 << 20):
                body, content_type = client.form({"format": "txt"}, "file", file.name, file.read_bytes())
                answer = client.call(self.server.port, "POST", "/v1/transcribe", client.in_pieces(body, size),
                                     {"Content-Type": content_type})
                self.assertEqual((answer.status, answer.text), (200, expected["txt"]))
        self.check_all(check)

    def test_a_stream_gives_each_segment_and_the_whole(self):
        def check(file, expected):
            events = list(self.post("/v1/transcribe", file, stream="true").events())
            whole = program.read(expected["json"])
            self.assertEqual([json.loads(data) for event, data in events if event == "segment"], whole["segments"])
            self.assertEqual(events[-1][0], "done")
            self.assertEqual(program.read(events[-1][1]), whole)
        self.check_all(check)

    def test_openai_gives_each_format(self):
        def check(file, expected):
            text = program.read(expected["json"])["text"]
            path = "/v1/audio/transcriptions"
            self.assertEqual(self.post(path, file, model="whisper-1").json["text"], text)
            self.assertEqual(self.post(path, file, response_format="text").text, text + "\n")
            for form in ("srt", "vtt"):
                self.assertEqual(self.post(path, file, response_format=form).text, expected[form])
            verbose = self.post(path, file, response_format="verbose_json").json
            segments = program.read(expected["json"])["segments"]
            self.assertEqual(verbose["text"], text)
            self.assertEqual([(each["start"], each["end"], each["text"]) for each in verbose["segments"]],
                             [(each["start_ms"] / 1000, each["end_ms"] / 1000, each["text"]) for each in segments])
        self.check_all(check)

    def test_openais_stream_gives_the_text_piece_by_piece_and_whole(self):
        def check(file, expected):
            text = program.read(expected["json"])["text"]
            events = [data for _, data in self.post("/v1/audio/transcriptions", file, stream="true").events()]
            self.assertEqual(events.pop(), "[DONE]")
            events = list(map(json.loads, events))
            self.assertEqual("".join(event["delta"] for event in events[:-1]), text)
            self.assertEqual((events[-1]["type"], events[-1]["text"]), ("transcript.text.done", text))
        self.check_all(check)

    def test_funasrs_calls_give_the_text_and_the_times(self):
        def check(file, expected):
            whole = program.read(expected["json"])
            answer = self.post("/recognition", file, "audio").json
            self.assertEqual((answer["code"], answer["text"]), (0, whole["text"]))
            self.assertEqual(answer["sentences"], [{"text": each["text"], "start": each["start_ms"], "end": each["end_ms"]}
                                                   for each in whole["segments"]])
            answer = self.post("/asr", file).json
            self.assertEqual((answer["text"], answer["duration"]), (whole["text"], whole["duration_ms"] / 1000))
        self.check_all(check)


if __name__ == "__main__":
    unittest.main()
