"""Starts `tutti serve` and lets other people's programs use it: OpenAI's and FunASR's clients, schemathesis, the
examples of docs/http.md, the page in a browser.

usage: run.py TUTTI PYTHON NODE_FOLDER [PYTHON_WITH_PLAYWRIGHT]
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests/clients"
SEED = 1  # a run that fails can be repeated
EXAMPLES = 50


def main():
    tutti, python, node_folder, *browser = sys.argv[1:]
    os.environ["TUTTI"] = str(pathlib.Path(tutti).resolve())
    sys.path.insert(0, str(ROOT / "tests/serve"))
    import program

    # A module is resolved from where it lies, so it goes where the package is.
    script = pathlib.Path(shutil.copy(HERE / "openai_test.mjs", node_folder)).resolve()
    bin_folder = pathlib.Path(python).parent
    failed = []
    with tempfile.TemporaryDirectory() as folder, \
            program.Server("--model", ROOT / ".cache/models/whisper-base", "--log-level", "warning", "--jobs", f"{folder}/jobs.db", "--spool", f"{folder}/spool") as server:
        url = f"http://127.0.0.1:{server.port}"
        recording, wav = ROOT / ".cache/samples/prompts/agent-loginok.g722", f"{folder}/agent-loginok.wav"
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", recording, wav], check=True)
        environment = {**os.environ, "TUTTI_WEB_URL": url, "TUTTI_RECORDING": str(recording), "TUTTI_WAV": wav}
        steps = {
            "openai, Python": [python, HERE / "openai_test.py"],
            "openai, JavaScript": ["node", "--test", script],
            # Two packages of one name: each has a folder of its own.
            "funasr-client": [python, HERE / "funasr_client_test.py"],
            "funasr-python": [python, HERE / "funasr_python_test.py"],
            "fields": [python, HERE / "fields_test.py"],
            "examples of docs/http.md": [python, ROOT / "tests/docs/http_examples_test.py"],
            "schemathesis": [bin_folder / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run",
                             f"{url}/openapi.json", "--seed", str(SEED), "--max-examples", str(EXAMPLES),
                             "--generation-database", "none", "--no-color"],
        }
        if browser:
            steps["page"] = [browser[0], "-m", "unittest", "page_test", "access_test"]
        for name, command in steps.items():
            print(f"== {name}", flush=True)
            where = ROOT / "tests/web" if name == "page" else folder
            package = bin_folder.parent.parent / name
            path = {"PYTHONPATH": str(package)} if package.is_dir() else {}
            if subprocess.run(list(map(str, command)), cwd=where, env={**environment, **path}).returncode != 0:
                failed.append(name)
        if server.process.poll() is not None:
            failed.append("the server ended")
        elif server.terminate() != 0:
            failed.append("the server's exit code")
        print("\n".join(server.log))
    sys.exit("failed: " + ", ".join(failed) if failed else 0)


if __name__ == "__main__":
    main()
