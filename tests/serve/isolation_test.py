"""Recognition in processes: what ends one of them costs no client anything."""
import concurrent.futures
import os
import pathlib
import random
import re
import signal
import tempfile
import threading
import time
import unittest
import wave

import client
import program

CLIENTS = 4
EACH = 2 if program.SMALL else 6
KILLS = 8
MEMORY_MB, MEMORY_HOG_SECONDS = 50, 1500


def children(pid):
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == str(pid) and state != "Z":
            yield int(stat.parent.name)


def workers(server):
    """Those that recognise: children of a child of the server."""
    return [worker for child in children(server.process.pid) for worker in children(child)]


def eventually(condition):
    end = time.monotonic() + client.SECONDS
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError("it never came about")
        time.sleep(0.02)
    return found


class Killer(threading.Thread):
    """Kills a worker now and then within the with block, up to KILLS in all."""

    def __init__(self, server):
        super().__init__()
        self.server, self.killed = server, 0
        self.ending = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()

    def run(self):
        chance = random.Random(1)
        while self.killed < KILLS and not self.ending.wait(0.1):
            if alive := workers(self.server):
                try:
                    os.kill(chance.choice(alive), signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    pass


class Isolation(unittest.TestCase):
    OPTIONS = ("--isolation", "process", "--processes", 2, "--threads", 1)

    @classmethod
    def setUpClass(cls):
        cls.files = program.recordings(*((4, 0) if program.SMALL else (4, 1)))
        cls.expected = {file: each["txt"] for file, each in program.transcribe(cls.files).items()}

    def check(self, server, file):
        answer = client.post_file(server.port, "/v1/transcribe", file, {"format": "txt"})
        self.assertEqual((answer.status, answer.text), (200, self.expected[file]))

    def test_killed_workers_cost_no_request(self):
        # More retries than kills: a recording is not to blame for what is done to its process.
        with program.Server(*self.OPTIONS, "--retries", KILLS) as server:
            eventually(lambda: len(workers(server)) == 2)
            with Killer(server) as killer, concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
                for done in [clients.submit(self.check, server, file) for file in self.files * EACH]:
                    done.result()
                eventually(lambda: killer.killed > 0)

            def died():
                metrics = client.call(server.port, "GET", "/metrics").text
                return int(re.search(r"^tutti_processes_died\{.*\} (\d+)$", metrics, re.M)[1])

            self.assertLessEqual(eventually(died), killer.killed)
            server.wait_for("was killed by signal 9")
            self.assertEqual(server.terminate(), 0)

    def test_sighup_loads_the_models_anew_and_no_process_is_left(self):
        with program.Server(*self.OPTIONS) as server:
            before = eventually(lambda: len(workers(server)) == 2 and workers(server))
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
                pending = [clients.submit(self.check, server, file) for file in self.files * 2]
                server.signal(signal.SIGHUP)
                server.wait_for('"reloaded"')
                for done in pending:
                    done.result()

            def replaced():
                now = workers(server)
                return len(now) == 2 and not set(now) & set(before) and now

            after = eventually(replaced)
            self.check(server, self.files[0])
            self.assertEqual(server.terminate(), 0)
            for process in after:
                eventually(lambda: not pathlib.Path(f"/proc/{process}").exists())

    def test_the_end_of_the_process_that_holds_the_models_costs_no_request(self):
        with program.Server(*self.OPTIONS) as server, concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            [nursery] = eventually(lambda: [child for child in children(server.process.pid) if [*children(child)]])
            pending = [clients.submit(self.check, server, file) for file in self.files * EACH]
            os.kill(nursery, signal.SIGKILL)
            for done in pending:
                done.result()
            server.wait_for("the process that starts the workers was killed by signal 9")
            self.assertEqual(server.terminate(), 0)

    def test_options_of_processes_need_processes(self):
        done = program.run("serve", "--port", 0, "--processes", 2)
        self.assertEqual(done.returncode, 2)
        self.assertIn("models.processes is set, models.isolation is thread", done.stderr)


if not program.SMALL:  # sanitizers want memory of their own

    class Memory(unittest.TestCase):
        def test_a_recording_that_takes_too_much_memory_is_an_error_of_the_server_without_its_log(self):
            [file] = program.recordings(1, 0)
            with tempfile.TemporaryDirectory() as folder:
                long = pathlib.Path(folder) / "long.wav"
                with wave.open(str(long), "wb") as out:
                    out.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
                    out.writeframes(random.Random(1).randbytes(2 * 16000 * MEMORY_HOG_SECONDS))
                with program.Server(*Isolation.OPTIONS, "--retries", 0, "--process-memory", MEMORY_MB, vad="none") as server:
                    answer = client.post_file(server.port, "/v1/transcribe", long)
                    self.assertEqual(answer.status, 500, answer.text)
                    self.assertIn("long.wav: its process ", answer.text)
                    self.assertNotIn("last words", answer.text)
                    server.wait_for("gives up a recording: its process ")
                    answer = client.post_file(server.port, "/v1/transcribe", file)
                    self.assertEqual(answer.status, 200, answer.text)
