"""`tutti serve` from outside: all tests of this folder.

usage: serve_test.py TUTTI [small]     small: for sanitizer builds
"""
import os
import pathlib
import sys
import unittest

if __name__ == "__main__":
    os.environ["TUTTI"] = sys.argv[1]
    if sys.argv[2:] == ["small"]:
        os.environ["TUTTI_SERVE_SMALL"] = "1"
    names = ["answers_test", "isolation_test", "jobs_test", "load_test", "options_test"]
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    done = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(unittest.defaultTestLoader.loadTestsFromNames(names))
    sys.exit(not done.wasSuccessful())
