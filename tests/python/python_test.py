"""The package `tutti` for Python, from the build tree: PYTHONPATH names build/PRESET/python.

usage: python_test.py [unittest's arguments]
"""
import array
import ast
import asyncio
import concurrent.futures
import contextlib
import gc
import inspect
import io
import multiprocessing
import os
import pathlib
import pickle
import subprocess
import sys
import threading
import unittest
import warnings
import wave

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
os.environ["TUTTI_MODELS"] = f"{ROOT / 'models'}:{ROOT / '.cache/models'}"

import tutti  # noqa: E402

PROMPTS = ROOT / ".cache/samples/prompts"
GOODBYE = PROMPTS / "vm-goodbye.g722"
LONG = ROOT / "tests/data/fixtures/audio/long.wav"
TINY_WHISPER = ROOT / "tests/data/fixtures/whisper_tiny"  # random weights: what it says is no language, but always the same


def samples_of(path, typecode="h"):
    with wave.open(str(path)) as file:
        samples = array.array("h", file.readframes(file.getnframes()))
    return samples if typecode == "h" else array.array(typecode, (sample / 32768 for sample in samples))


def text_in_child(recognizer, path):
    return recognizer.transcribe(path).text


class RecognizerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.recognizer = tutti.Recognizer("demo-paraformer", threads=2)
        cls.long = cls.recognizer.transcribe(LONG)

    @classmethod
    def tearDownClass(cls):
        cls.recognizer.close()

    def test_a_path_and_its_bytes_give_the_same_text(self):
        self.assertEqual(self.recognizer.transcribe(GOODBYE).text, "goodbye")
        self.assertEqual(self.recognizer.transcribe(str(GOODBYE)).text, "goodbye")
        data = GOODBYE.read_bytes()
        for same in (data, bytearray(data), memoryview(data)):
            self.assertEqual(self.recognizer.transcribe(same, name="x.g722").text, "goodbye")

    def test_samples_of_every_type_give_the_text_of_their_file(self):
        for typecode in "hfd":
            found = self.recognizer.transcribe(samples_of(LONG, typecode))
            self.assertEqual(found.text, self.long.text, typecode)
            self.assertEqual(found.duration_ms, self.long.duration_ms)

    def test_columns_of_samples_are_channels(self):
        mono = samples_of(LONG)
        both = array.array("h", (sample for sample in mono for _ in range(2)))
        stereo = memoryview(both).cast("B").cast("h", shape=[len(mono), 2])
        found = self.recognizer.transcribe(stereo, split_channels=True)
        self.assertEqual(found.channels, 2)
        for channel in (0, 1):
            texts = [segment.text for segment in found.segments if segment.channel == channel]
            self.assertEqual(texts, [segment.text for segment in self.long.segments])

    def test_a_result_has_segments_and_tokens(self):
        self.assertGreater(len(self.long.segments), 1)
        for segment in self.long.segments:
            self.assertLess(segment.start_ms, segment.end_ms)
            for token in segment.tokens:
                self.assertLessEqual(token.score, 0)

    def test_vad_options_belong_to_the_one_call(self):
        patient = self.recognizer.transcribe(LONG, max_end_silence_time=5000)
        self.assertLess(len(patient.segments), len(self.long.segments))
        self.assertEqual(len(self.recognizer.transcribe(LONG).segments), len(self.long.segments))
        with self.assertRaisesRegex(TypeError, "max_end_silence"):
            self.recognizer.transcribe(LONG, max_end_silence=5000)

    def test_errors_are_pythons_own_and_say_what(self):
        with self.assertRaisesRegex(FileNotFoundError, "nowhere.wav"):
            self.recognizer.transcribe("nowhere.wav")
        with self.assertRaisesRegex(ValueError, "bad.wav"):
            self.recognizer.transcribe(b"RIFF\x10\0\0\0WAVEno audio", name="bad.wav")
        with self.assertRaisesRegex(TypeError, "float32"):
            self.recognizer.transcribe(array.array("q", [1, 2, 3]))
        with self.assertRaisesRegex(FileNotFoundError, "no-such-model.*demo-paraformer.*`tutti models pull no-such-model`"):
            tutti.Recognizer("no-such-model")
        with self.assertRaisesRegex(ValueError, "float99"):
            tutti.Recognizer("demo-paraformer", compute_type="float99")
        with self.assertRaises(TimeoutError):
            self.recognizer.transcribe(LONG, timeout=1e-9)

    def test_many_come_in_the_order_given(self):
        files = sorted(PROMPTS.iterdir())[:40]
        one_by_one = [self.recognizer.transcribe(file).text for file in files]
        self.assertEqual([found.text for found in self.recognizer.transcribe_many(files)], one_by_one)
        self.assertEqual([found.file for found in self.recognizer.transcribe_many(files, read_ahead=3)],
                         [str(file) for file in files])

    def test_many_tell_their_progress_on_standard_error(self):
        with contextlib.redirect_stderr(io.StringIO()) as told:
            self.assertEqual(len(list(self.recognizer.transcribe_many([GOODBYE] * 3, progress=True))), 3)
        self.assertRegex(told.getvalue(), r"\r3 of 3 recordings, \d+ s of audio, \d+ x real time\n$")

    def test_many_take_no_more_from_an_iterator_than_the_read_ahead(self):
        taken = []
        results = self.recognizer.transcribe_many((taken.append(1) or GOODBYE for _ in range(100)), read_ahead=4)
        self.assertEqual(next(results).text, "goodbye")
        self.assertEqual(len(taken), 4)
        results.close()

    def test_a_bad_one_of_many_can_be_returned_in_its_place(self):
        results = list(self.recognizer.transcribe_many([GOODBYE, "nowhere.wav", GOODBYE], errors="return"))
        self.assertEqual([type(result).__name__ for result in results], ["Transcript", "NotFound", "Transcript"])
        with self.assertRaises(FileNotFoundError):
            list(self.recognizer.transcribe_many([GOODBYE, "nowhere.wav", GOODBYE]))

    def test_results_can_be_awaited(self):
        async def run():
            together = await asyncio.gather(*(self.recognizer.transcribe_async(GOODBYE) for _ in range(20)))
            many = [found.text async for found in self.recognizer.transcribe_many_async([GOODBYE] * 20)]
            return [found.text for found in together] + many

        self.assertEqual(asyncio.run(run()), ["goodbye"] * 40)

    def test_awaiting_can_be_cancelled(self):
        async def run():
            task = asyncio.ensure_future(self.recognizer.transcribe_async(LONG))
            await asyncio.sleep(0)
            task.cancel()
            await task

        with self.assertRaises(asyncio.CancelledError):
            asyncio.run(run())

    def test_a_future_tells_when_it_is_done(self):
        told = threading.Event()
        future = self.recognizer.submit(GOODBYE)
        future.add_done_callback(lambda done: told.set())
        self.assertTrue(told.wait(60))
        self.assertEqual(future.result().text, "goodbye")
        self.assertFalse(future.cancel())

    def test_eight_threads_share_one_and_are_right_a_thousand_times(self):
        # The program that loses audio, or its decibels, with a FunASR model shared by threads.
        files = sorted(PROMPTS.iterdir())[:60] + [LONG]
        expected = {file: self.recognizer.transcribe(file).text for file in files}
        wrong = []

        def work(number):
            for turn in range(125):
                file = files[(number * 31 + turn * 7) % len(files)]
                found = self.recognizer.transcribe(file).text
                if found != expected[file]:
                    wrong.append((file, found))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        self.assertEqual(wrong, [])

    def test_a_child_of_fork_is_told_to_make_its_own(self):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.recognizer.transcribe(GOODBYE)
                os.write(write, b"no error")
            except RuntimeError as error:
                os.write(write, str(error).encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as told:
            self.assertIn(b"forked", told.read())
        os.waitpid(child, 0)
        self.assertEqual(self.recognizer.transcribe(GOODBYE).text, "goodbye")

    def test_a_process_of_spawn_gets_one_of_its_own(self):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            self.assertEqual(pool.apply(text_in_child, (self.recognizer, GOODBYE)), "goodbye")

    def test_it_survives_pickling(self):
        with pickle.loads(pickle.dumps(self.recognizer)) as copy:
            self.assertEqual(copy.threads, 2)
            self.assertEqual(copy.transcribe(GOODBYE).text, "goodbye")

    def test_a_stream_tells_speech_whatever_its_pieces(self):
        samples = samples_of(LONG, "f")
        told = []
        for piece in (960, 16000):
            stream = self.recognizer.open_stream()
            starts = []
            for at in range(0, len(samples), piece):
                events = stream.accept(samples[at:at + piece], at + piece >= len(samples))
                starts += [start for start, _ in events if start >= 0]
            told.append(starts)
        self.assertGreater(len(told[0]), 1)
        self.assertEqual(told[0], told[1])


class SearchTest(unittest.TestCase):
    """Options of models that find their text token by token."""

    @classmethod
    def setUpClass(cls):
        cls.recognizer = tutti.Recognizer(TINY_WHISPER, threads=2)
        cls.addClassCleanup(cls.recognizer.close)

    def transcribe(self, **options):
        return self.recognizer.transcribe(LONG, **{"no_speech_threshold": 1, "temperature": 0, **options})

    def test_it_tells_its_languages_and_whether_it_translates(self):
        self.assertEqual(self.recognizer.languages, ["en", "zh", "de", "es", "ru", "ko", "fr", "ja"])
        self.assertTrue(self.recognizer.translates and self.recognizer.takes_search_options)
        with tutti.Recognizer("demo-paraformer", threads=1) as paraformer:
            self.assertEqual((paraformer.languages, paraformer.translates, paraformer.takes_search_options),
                             ([], False, False))
            with self.assertRaisesRegex(ValueError, "paraformer"):
                paraformer.transcribe(GOODBYE, language="en")

    def test_options_belong_to_the_one_call_also_where_calls_are_mixed(self):
        choices = [dict(language="en", beam_size=1), dict(language="de", task="translate", beam_size=2),
                   dict(language="zh", prefix="so", max_new_tokens=6)]
        alone = [self.transcribe(**choice).text for choice in choices]
        self.assertEqual(len(set(alone)), len(choices))
        futures = [self.recognizer.submit(LONG, no_speech_threshold=1, temperature=0, **choices[i % 3])
                   for i in range(12)]
        self.assertEqual([future.result().text for future in futures], alone * 4)
        many = list(self.recognizer.transcribe_many([LONG] * 2, no_speech_threshold=1, temperature=0, **choices[1]))
        self.assertEqual([found.text for found in many], [alone[1]] * 2)

    def test_results_tell_language_and_figures(self):
        found = self.transcribe(language="German")
        self.assertEqual((found.language, found.language_probability), ("de", 1))
        for segment in found.segments:
            self.assertEqual((segment.language, segment.temperature), ("de", 0))
            self.assertLessEqual(segment.avg_logprob, 0)
            self.assertTrue(0 <= segment.no_speech_prob <= 1)
            self.assertGreaterEqual(segment.compression_ratio, 0)
        self.assertIn(self.transcribe().language, self.recognizer.languages)
        with tutti.Recognizer("demo-paraformer", threads=1) as paraformer:
            found = paraformer.transcribe(GOODBYE)
            self.assertEqual((found.language, found.language_probability), ("", None))
            self.assertIsNone(found.segments[0].avg_logprob)

    def test_what_cannot_be_is_an_error_that_says_what_can(self):
        for options, said in ((dict(language="xx"), "en, zh"), (dict(beam_size=0), "from 1 to 100"),
                              (dict(task="sing"), "translate"), (dict(temperature=[0, -1]), "temperature"),
                              (dict(beam_size="many"), "beam_size")):
            with self.assertRaisesRegex(ValueError, said):
                self.transcribe(**options)
        with self.assertRaisesRegex(TypeError, "prefix"):
            self.transcribe(prefix=object())
        with self.assertRaisesRegex(TypeError, "beam_sise"):
            self.transcribe(beam_sise=1)

    def test_lists_and_switches_are_pythons(self):
        drawn = self.transcribe(temperature=[0.5], best_of=2, language="en")
        self.assertEqual({segment.temperature for segment in drawn.segments}, {0.5})
        self.assertTrue(self.transcribe(condition_on_previous_text=True, language="en").text)
        one_language = self.transcribe(multilingual=False)
        self.assertEqual({segment.language for segment in one_language.segments}, {one_language.language})

    def test_every_option_of_the_search_is_an_argument(self):
        from tutti import _tutti
        arguments = inspect.signature(tutti.Recognizer.submit).parameters
        self.assertLessEqual(set(_tutti.search_option_names()), set(arguments))


class LifetimeTest(unittest.TestCase):
    def test_closing_cancels_what_is_pending_and_ends_use(self):
        recognizer = tutti.Recognizer("demo-paraformer", threads=1)
        futures = [recognizer.submit(LONG) for _ in range(60)]
        recognizer.close()
        recognizer.close()
        self.assertTrue(all(future.done() for future in futures))
        self.assertTrue(any(isinstance(future.exception(), tutti.Cancelled) for future in futures))
        with self.assertRaisesRegex(RuntimeError, "closed"):
            recognizer.transcribe(GOODBYE)

    def test_the_last_handle_may_go_in_a_callback(self):
        held = [tutti.Recognizer("demo-paraformer", threads=1)]
        gone = threading.Event()

        def drop(future):
            held.clear()
            gc.collect()
            gone.set()

        future = held[0].submit(GOODBYE)
        future.add_done_callback(drop)
        self.assertTrue(gone.wait(60))
        self.assertEqual(future.result().text, "goodbye")

    def test_a_program_may_end_with_work_pending(self):
        program = ("import tutti\n"
                   f"recognizer = tutti.Recognizer('demo-paraformer', threads=1)\n"
                   f"futures = [recognizer.submit({str(LONG)!r}) for _ in range(100)]\n"
                   "print(futures[0].result().text != '')\n")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "True\n", ""))


class AutoModelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = tutti.AutoModel(model="demo-paraformer", vad_model="fsmn-vad", device="cpu", disable_update=True)

    def test_the_call_of_funasrs_documentation_gives_its_keys(self):
        results = self.model.generate(input=str(GOODBYE), batch_size_s=300)
        self.assertEqual(results, [{"key": "vm-goodbye", "text": "goodbye"}])

    def test_lists_samples_and_bytes_give_one_dict_each(self):
        results = self.model.generate(input=[str(GOODBYE), samples_of(LONG, "f"), GOODBYE.read_bytes()], fs=16000)
        self.assertEqual(results[0]["key"], "vm-goodbye")
        self.assertTrue(results[1]["key"].startswith("rand_key_"))
        self.assertEqual(len(results), 3)

    def test_a_list_file_gives_its_own_keys(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            listed = pathlib.Path(folder) / "wav.scp"
            listed.write_text(f"first {GOODBYE}\nsecond {GOODBYE}\n")
            results = self.model.generate(input=str(listed))
        self.assertEqual([result["key"] for result in results], ["first", "second"])

    def test_silence_has_no_text_and_no_times(self):
        silence = array.array("f", [0.0] * 32000)
        self.assertEqual(self.model.generate(input=silence, key="silence"),
                         [{"key": "silence", "text": "", "timestamp": []}])

    def test_what_cannot_be_followed_is_said(self):
        with self.assertWarnsRegex(UserWarning, "hotwords"):
            self.model.generate(input=str(GOODBYE), hotword="tutti")
        with self.assertWarnsRegex(UserWarning, "punc_model"):
            tutti.AutoModel(model="demo-paraformer", punc_model="ct-punc")
        with self.assertRaisesRegex(TypeError, "batch_sise_s"):
            self.model.generate(input=str(GOODBYE), batch_sise_s=300)
        with self.assertRaisesRegex(FileNotFoundError, "downloads no models"):
            tutti.AutoModel(model="paraformer-zh")

    def test_vad_options_of_the_constructor_and_of_a_call_hold(self):
        def segments(**options):
            # Texts of segments are joined by a space, so fewer segments need not show; the recogniser tells.
            return len(self.model.recognizer.transcribe(LONG, **options).segments)

        self.assertLess(segments(max_end_silence_time=5000), segments())
        patient = tutti.AutoModel(model="demo-paraformer", vad_model="fsmn-vad",
                                  vad_kwargs={"max_end_silence_time": 5000})
        self.assertEqual(patient.generate(input=str(LONG))[0]["text"],
                         self.model.generate(input=str(LONG), max_end_silence_time=5000)[0]["text"])


class WhisperAutoModelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = tutti.AutoModel(model=str(TINY_WHISPER), vad_model="fsmn-vad", ncpu=2)
        cls.addClassCleanup(cls.model.recognizer.close)

    def text(self, **options):
        segments = self.model.recognizer.transcribe(LONG, **options).segments
        return " ".join(segment.text for segment in segments if segment.text)

    def test_language_and_decoding_options_are_those_of_the_call(self):
        [german] = self.model.generate(input=str(LONG), language="de", DecodingOptions={"temperature": 0.0})
        self.assertEqual(german["language"], "de")
        self.assertEqual(german["text"], self.text(language="de", beam_size=1, temperature=0))
        options = {"task": "translate", "language": "zh", "beam_size": 2, "fp16": True, "without_timestamps": True,
                   "prompt": "so", "sample_len": 8, "patience": None, "suppress_tokens": [-1, 11], "suppress_blank": False}
        [chinese] = self.model.generate(input=str(LONG), DecodingOptions=options)
        self.assertEqual(chinese["text"], self.text(task="translate", language="zh", beam_size=2, initial_prompt="so",
                                                    max_new_tokens=8, suppress_tokens="-1,11", suppress_blank=False))
        self.assertEqual(self.model.generate(input=str(LONG), language="de", DecodingOptions={"temperature": 0.0}),
                         [german])

    def test_hotwords_reach_a_model_that_takes_them(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            [found] = self.model.generate(input=str(LONG), hotword="tutti", language="en")
        self.assertEqual(found["text"], self.text(hotwords="tutti", language="en", beam_size=1))

    def test_unknown_decoding_options_are_an_error(self):
        with self.assertRaisesRegex(TypeError, "beam_sise"):
            self.model.generate(input=str(LONG), DecodingOptions={"beam_sise": 1})
        with self.assertRaisesRegex(ValueError, "en, zh"):
            self.model.generate(input=str(LONG), language="xx")


class StubTest(unittest.TestCase):
    def test_the_stub_names_what_is_there(self):
        stub = ast.parse((ROOT / "python/tutti/_tutti.pyi").read_text())
        named = {}
        for node in stub.body:
            if isinstance(node, ast.ClassDef):
                named[node.name] = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
        from tutti import _tutti
        classes = {name: value for name, value in vars(_tutti).items() if isinstance(value, type)}
        self.assertEqual(set(classes), set(named))
        for name, value in classes.items():
            members = {member for member in vars(value) if not member.startswith("_")}
            self.assertEqual(members, {each for each in named[name] if not each.startswith("_")}, name)


if __name__ == "__main__":
    warnings.simplefilter("error", ResourceWarning)
    unittest.main()
