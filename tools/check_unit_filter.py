#!/usr/bin/env python3
"""Whether deploy/tutti.service allows every system call that the service makes: strace lists them while
tests/serve/isolation_test.py has its way with it, systemd-analyze says what the unit's groups hold. systemd need not run.

usage: check_unit_filter.py build/release/bin/tutti [TEST ...]     tests of tests/serve; default: isolation_test
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNIT = ROOT / "deploy/tutti.service"


def expand(name):
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    items = [line.strip() for line in listed.splitlines()[1:]]
    return set().union(*(expand(item) for item in items if item and not item.startswith("#")))


def allowed():
    """The first line says what there is; one that begins with ~ takes away."""
    calls = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
        names = set().union(*(expand(name) for name in line.lstrip("~").split()))
        calls = calls - names if line.startswith("~") else calls | names
    return calls


def used(tutti, tests):
    with tempfile.TemporaryDirectory() as folder:
        traced = pathlib.Path(folder) / "tutti"
        traced.write_text(f"#!/bin/sh\nexec strace -D -ff -qq -o {folder}/trace {tutti} \"$@\"\n")
        traced.chmod(0o755)
        # Behind the shell and strace the program is still the process that was started.
        subprocess.run([sys.executable, "-m", "unittest", *tests], cwd=ROOT / "tests/serve", check=True,
                       env={**os.environ, "TUTTI": str(traced)})
        traces = [path.read_text(errors="replace") for path in pathlib.Path(folder).glob("trace.*")]
    return set().union(*(re.findall(r"^(\w+)\(", trace, re.M) for trace in traces)), len(traces)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    calls, threads = used(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:] or ["isolation_test"])
    missing = sorted(calls - allowed())
    print(f"{len(calls)} system calls in {threads} threads and processes; the unit forbids {', '.join(missing) or 'none of them'}")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
