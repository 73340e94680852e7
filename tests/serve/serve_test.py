"""`tutti serve` from outside: the tests of this folder, or those that are named.

usage: serve_test.py TUTTI [small] [TEST …]     small: for sanitizer builds
"""
import os
import pathlib
import sys
import unittest

if __name__ == "__main__":
    os.environ["TUTTI"] = sys.argv[1]
    if sys.argv[2:3] == ["small"]:
        os.environ["TUTTI_SERVE_SMALL"] = "1"
    named = [argument for argument in sys.argv[2:] if argument != "small"]
    names = named or ["answers_test", "isolation_test", "jobs_test", "load_test", "options_test"]
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    done = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(unittest.defaultTestLoader.loadTestsFromNames(names))
    sys.exit(not done.wasSuccessful())
