"""Runs a command with the fake server's address in TUTTI_WEB_URL.

usage: with_fake_server.py COMMAND…
"""
import os
import subprocess
import sys

from fake_server import FakeServer

server = FakeServer().start()
sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, "TUTTI_WEB_URL": server.url}).returncode)
