#!/usr/bin/env python3
"""Holds the tree to docs/architecture.md: includes go downward, and each foreign library has one home."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOORS = {"base": 0, "audio": 1, "checkpoint": 1, "frontend": 2, "nn": 3, "models": 4, "pipeline": 5, "engine": 6,
          "c_api": 7, "pool": 7, "service": 8, "hub": 9, "server": 9,
          "cli": 10}
HOMES = {  # what an include starts with: the folders that may have it
    "oneapi/dnnl": {"nn"}, "dnnl": {"nn"}, "libav": {"audio"}, "libsw": {"audio"},
    "hwy/": {"audio", "frontend", "nn"}, "yaml-cpp/": {"checkpoint"}, "CLI/": {"cli"},
    "boost/": {"server"}, "sqlite3": {"service"}, "toml++/": {"service"}, "prometheus/": {"service"},
    "seccomp": {"pool"}, "pcre2": {"checkpoint"}, "curl/": {"hub"}, "zlib.h": {"hub", "models"},
}
MANY_LINES = 450


def problems(path, text):
    room = path.parts[1]
    if room not in FLOORS:
        yield f"{path}: no floor named {room}; see docs/architecture.md"
        return
    for number, line in enumerate(text.splitlines(), 1):
        include = re.match(r'#\s*include\s+["<]([^">]+)[">]', line)
        if not include:
            continue
        name = include[1]
        other = name.split("/")[0]
        if other in FLOORS and FLOORS[other] >= FLOORS[room] and other != room:
            yield f"{path}:{number}: {room} may not include {name}: {other} is not below it"
        for prefix, homes in HOMES.items():
            if name.startswith(prefix) and room not in homes:
                yield f"{path}:{number}: {name} belongs to {', '.join(sorted(homes))} only"


def main():
    found = []
    for path in sorted(ROOT.glob("src/*/*")):
        if path.suffix not in (".h", ".cc"):
            continue
        text = path.read_text()
        found += problems(path.relative_to(ROOT), text)
        if text.count("\n") > MANY_LINES:
            print(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines; does it hold one idea?")
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
