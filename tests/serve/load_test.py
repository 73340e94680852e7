"""Many clients at once, signals meanwhile, and a queue that is too small for them."""
import concurrent.futures
import contextlib
import http.client
import itertools
import signal
import threading
import time
import unittest

import client
import program

CLIENTS = 4 if program.SMALL else 40
EACH = 2 if program.SMALL else 6


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Pulse:
    """Asks /healthz again and again within the with block."""

    def __init__(self, port):
        self.port = port
        self.seconds = []
        self.failed = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=client.SECONDS)) as connection:
            while not self.seconds or not self._stop.wait(0.02):
                began = time.monotonic()
                connection.request("GET", "/healthz")
                answer = client.Answer(connection.getresponse())
                self.seconds.append(time.monotonic() - began)
                if answer.status != 200:
                    self.failed.append(answer.status)


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = program.recordings(*((5, 1) if program.SMALL else (12, 4)))
        cls.calls = [file for file in cls.files if file.parent.name == "calls"]
        cls.expected = {file: each["txt"] for file, each in program.transcribe(cls.files).items()}

    def post(self, server, file):
        return client.post_file(server.port, "/v1/transcribe", file, {"format": "txt"})

    def check(self, server, file):
        answer = self.post(server, file)
        self.assertEqual((answer.status, answer.text), (200, self.expected[file]))

    def persist(self, server, mine):
        """Posts each file until it is accepted; returns how often one was refused."""
        refusals = 0
        for file in mine:
            while (answer := self.post(server, file)).status == 429:
                self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
                self.assertEqual(answer.json["error"]["type"], "rate_limit_error")
                refusals += 1
                time.sleep(0.1)  # well before it is worth while
            self.assertEqual((answer.status, answer.text), (200, self.expected[file]))
        return refusals

    def persist_all(self, server):
        # Each begins with a call, and only one of these has room.
        work = [[self.calls[i % len(self.calls)], *itertools.islice(itertools.cycle(self.files), i, i + EACH - 1)]
                for i in range(CLIENTS)]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            return sum(clients.map(lambda mine: self.persist(server, mine), work))

    def test_beyond_its_queue_it_refuses_with_429_and_does_what_it_accepted(self):
        with program.Server("--queue-seconds", "20", "--log-level", "error") as server:
            if not program.SMALL:
                self.persist_all(server)  # each thread has had its largest batch then
            before = server.resident_mb()
            with Pulse(server.port) as pulse:
                refusals = self.persist_all(server)
            after = server.resident_mb()
            self.assertGreater(refusals, 0)
            self.assertEqual(pulse.failed, [])
            print(f"{CLIENTS * EACH} requests, {refusals} refusals between; /healthz p99 "
                  f"{1000 * percentile(pulse.seconds, 0.99):.1f} ms; {before:.0f} MB before, {after:.0f} MB after")
            if not program.SMALL:  # sanitizers keep what is freed
                self.assertLess(after, before + 40)
            self.assertEqual((server.status()["queue"]["waiting"], server.status()["queue"]["running"]), (0, 0))
            self.assertEqual(server.terminate(), 0)

    def test_sighup_under_load_changes_nothing_for_clients(self):
        with program.Server() as server, concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            work = [clients.submit(self.check, server, file) for file in self.files * (2 if program.SMALL else 8)]
            for count in range(1, 5):
                server.signal(signal.SIGHUP)
                server.wait_for('"reloaded"', count)
            for done in work:
                done.result()
            self.assertEqual(server.terminate(), 0)

    def test_sigterm_under_load_finishes_every_request_that_it_had_begun(self):
        with program.Server() as server, concurrent.futures.ThreadPoolExecutor(CLIENTS + 1) as clients:
            half = HalfSent(server.port, self.calls[0])
            stopped = threading.Event()
            work = [clients.submit(self.go_on, server, i, stopped) for i in range(CLIENTS)]
            while not server.status()["queue"]["running"]:
                time.sleep(0.005)
            stopped.set()
            server.signal(signal.SIGTERM)
            server.wait_for('"signal"')
            answer = half.finish()
            self.assertEqual((answer.status, answer.text), (200, self.expected[self.calls[0]]))
            answers = [answer for done in work for answer in done.result()]
            self.assertEqual(server.join(), 0)
            self.assertIn('"unfinished":0', server.log[-2])
            self.assertGreater(answers.count(200), 0)
            print(f"SIGTERM: {answers.count(200)} finished, {answers.count(503)} came too late and were told so")

    def go_on(self, server, index, stopped):
        """Status codes of requests until one is refused. Who connects when the signal has been sent may find nobody."""
        codes = []
        for file in itertools.islice(itertools.cycle(self.files), index, None):
            in_time = []
            try:
                answer = client.post_file(server.port, "/v1/transcribe", file, {"format": "txt"},
                                          on_connect=lambda: in_time.append(not stopped.is_set()))
            except ConnectionError:
                self.assertTrue(stopped.is_set())
                self.assertNotEqual(in_time, [True], "a connection broke that was there before the signal")
                return codes
            if answer.status == 503:
                self.assertIn("Retry-After", answer.headers)
                return codes + [503]
            self.assertEqual((answer.status, answer.text), (200, self.expected[file]))
            codes.append(200)


class HalfSent:
    """A request that the server has admitted and that is sent in half."""

    def __init__(self, port, file):
        body, content_type = client.form({"format": "txt"}, "file", file.name, file.read_bytes())
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=client.SECONDS)
        self.connection.putrequest("POST", "/v1/transcribe")
        for name, value in {"Content-Type": content_type, "Content-Length": len(body), "Expect": "100-continue"}.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()
        # The leave to go on, byte by byte lest the answer be read with it.
        leave = b""
        while not leave.endswith(b"\r\n\r\n"):
            leave += self.connection.sock.recv(1)
        assert leave.startswith(b"HTTP/1.1 100 "), leave
        self.connection.send(body[:len(body) // 2])
        self.rest = body[len(body) // 2:]

    def finish(self):
        with contextlib.closing(self.connection):
            self.connection.send(self.rest)
            return client.Answer(self.connection.getresponse())


if __name__ == "__main__":
    unittest.main()
