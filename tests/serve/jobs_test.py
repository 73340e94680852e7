"""Jobs outlive kill -9."""
import collections
import concurrent.futures
import http.client
import pathlib
import signal
import tempfile
import time
import unittest

import client
import program

JOBS = 12 if program.SMALL else 100
CLIENTS = 8


class Kills(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = program.recordings(*((5, 0) if program.SMALL else (12, 8)))
        cls.expected = {file.name: program.read(each["json"]) for file, each in program.transcribe(cls.files).items()}

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def serve(self):
        return self.enterContext(program.Server("--jobs", self.folder / "jobs.db", "--spool", self.folder / "spool",
                                                "--log-level", "warning"))

    def jobs(self, server):
        """{id: job} of all there are; no id is told twice."""
        jobs = client.call(server.port, "GET", "/v1/jobs?limit=1000").json["jobs"]
        self.assertEqual(collections.Counter(job["id"] for job in jobs).most_common(1)[0][1], 1)
        return {job["id"]: job for job in jobs}

    def finished(self, server):
        """{id: job with its result} of those that have ended."""
        ended = [job["id"] for job in self.jobs(server).values() if job["state"] not in ("queued", "running")]
        return {each: client.call(server.port, "GET", f"/v1/jobs/{each}").json for each in ended}

    def submit(self, server, file, accepted):
        """Appends the job's id; nothing when the server has gone meanwhile."""
        try:
            answer = client.post_file(server.port, "/v1/jobs", file)
        except (OSError, http.client.HTTPException):
            return
        self.assertEqual(answer.status, 202, answer.text)
        accepted.append(answer.json["id"])

    def test_kill_9_during_100_jobs_loses_none_and_ends_none_twice(self):
        accepted, seen = [], {}
        server = self.serve()
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            work = [clients.submit(self.submit, server, self.files[i % len(self.files)], accepted) for i in range(JOBS)]
            self.wait_for(lambda: len(accepted) >= JOBS // 2)
            server.signal(signal.SIGKILL)  # while it takes jobs
            for done in work:
                done.result()
        self.assertEqual(server.join(), -signal.SIGKILL)
        killed = [f"{len(accepted)} accepted"]

        server = self.serve()
        while len(accepted) < JOBS:
            self.submit(server, self.files[len(accepted) % len(self.files)], accepted)
        self.wait_for(lambda: self.finished(server))
        seen = self.finished(server)
        server.signal(signal.SIGKILL)  # while it does them
        self.assertEqual(server.join(), -signal.SIGKILL)
        killed.append(f"{len(seen)} done")

        server = self.serve()
        self.wait_for(lambda: all(job["state"] not in ("queued", "running") for job in self.jobs(server).values()))
        jobs = self.finished(server)
        self.assertEqual(len(set(accepted)), JOBS)
        # One that was on disk when the kill took its answer may be there besides.
        self.assertLessEqual(set(accepted), set(jobs))
        self.assertLessEqual(len(jobs), JOBS + CLIENTS)
        for job in jobs.values():
            self.assertEqual((job["state"], job["error"]), ("done", None))
            self.assertEqual(program.same_for_all_runs(job["result"]), self.expected[job["file"]])
        self.assertEqual({each: jobs[each] for each in seen}, seen, "what had ended was done again")
        self.assertEqual(server.terminate(), 0)
        self.assertEqual([path for path in (self.folder / "spool").rglob("*") if path.is_file()], [])
        print(f"killed after {', then after '.join(killed)}; all {len(jobs)} jobs done once, "
              f"{sum(job['attempts'] > 1 for job in jobs.values())} of them begun twice")

    def wait_for(self, condition):
        end = time.monotonic() + client.SECONDS
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.005)


if __name__ == "__main__":
    unittest.main()
