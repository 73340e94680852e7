"""Runs every example of docs/http.md, from the root of the repository, against a server.

usage: TUTTI_WEB_URL=http://127.0.0.1:8000 http_examples_test.py [PATTERN]     PATTERN: only languages or sections so called

A comment before a fence says what is expected: `<!-- run: prints /REGEX/ -->`, `<!-- run: exits N, prints /REGEX/ -->`, where [^]
is any character, or `<!-- not run: REASON -->` after the fence. Without one, an example in a language below is an error,
and so is a language whose tool is missing.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs/http.md"
WRITTEN = "127.0.0.1:8000"  # the server in the document
SECONDS = 120

# Language: the file's ending, and the command that runs it.
TOOLS = {
    "sh": (".sh", ["sh", "-eu"]),
    "python": (".py", [sys.executable]),
    "js": (".mjs", ["node"]),
    "go": (".go", ["go", "run"]),
}
FENCE = re.compile(r"(?:<!-- run: (?:exits (?P<exits>\d+), )?prints /(?P<prints>[^\n]*)/ -->\n)?"
                   r"^```(?P<language>\w+)\n(?P<code>.*?)^```\n(?P<excused><!-- not run: [^\n]* -->)?", re.M | re.S)


def examples():
    text = DOCUMENT.read_text(encoding="utf-8")
    headings = [(match.start(), match[1]) for match in re.finditer(r"^#+ (.*)$", text, re.M)]
    for match in FENCE.finditer(text):
        if match["language"] in TOOLS and not match["excused"]:
            section = [title for at, title in headings if at < match.start()][-1]
            line = text.count("\n", 0, match.start("code")) + 1
            yield f"{section}, {match['language']}, line {line}", match


class Examples(unittest.TestCase):
    def test_every_example_says_what_it_prints(self):
        self.assertEqual([name for name, match in examples() if match["prints"] is None], [])
        self.assertEqual({match["language"] for _, match in examples()}, set(TOOLS))

    def test_every_example_prints_what_it_says(self):
        for name, match in examples():
            if len(sys.argv) > 1 and sys.argv[1] not in name:
                continue
            with self.subTest(name):
                began = time.monotonic()
                self.run_one(match)
                print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)

    def run_one(self, match):
        ending, command = TOOLS[match["language"]]
        self.assertTrue(shutil.which(command[0]), f"{command[0]} is missing")
        host = os.environ["TUTTI_WEB_URL"].removeprefix("http://").rstrip("/")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / ("example" + ending)
            file.write_text(match["code"].replace(WRITTEN, host), encoding="utf-8")
            done = subprocess.run([*command, file], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=SECONDS, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, int(match["exits"] or 0), done.stdout + done.stderr)
        self.assertRegex(done.stdout, match["prints"].replace("[^]", r"[\s\S]"))


if __name__ == "__main__":
    if not os.environ.get("TUTTI_WEB_URL", "").startswith("http://"):
        sys.exit("TUTTI_WEB_URL: expected the server's address, such as http://127.0.0.1:8000")
    unittest.main(argv=sys.argv[:1])
