"""Installs the build into a scratch prefix and builds a consumer against it, with CMake and with pkg-config, and the
example in C; with GO, a Go compiler, the example in Go, too.

usage: install_test.py BUILD CMAKE CXX [GO]
"""
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE = HERE.parent.parent / ".cache/samples/prompts/vm-goodbye.g722"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def only(folder, pattern):
    found = list(folder.rglob(pattern))
    assert len(found) == 1, f"{pattern} under {folder}: {found}"
    return found[0]


def main():
    build, cmake, compiler = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    scratch = build / "install_test"
    shutil.rmtree(scratch, ignore_errors=True)
    prefix = scratch / "moved"
    run(cmake, "--install", build, "--prefix", scratch / "prefix")
    (scratch / "prefix").rename(prefix)  # nothing installed may remember where it was installed

    run(cmake, "-S", HERE / "consumer", "-B", scratch / "cmake", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={compiler}", "-G", "Ninja")
    run(cmake, "--build", scratch / "cmake")

    package = only(prefix, "tutti.pc")
    env = {**os.environ, "PKG_CONFIG_PATH": str(package.parent), "LD_LIBRARY_PATH": str(package.parent.parent)}
    flags = run("pkg-config", "--cflags", "--libs", "tutti", env=env).split()
    run(compiler, "-std=c++20", HERE / "consumer/main.cc", "-o", scratch / "with_pkg_config", *flags)

    run("cc", HERE.parent.parent / "examples/c/transcribe.c", "-o", scratch / "from_c", *flags)
    from_other_languages = [scratch / "from_c"]
    if len(sys.argv) > 4:
        run(sys.argv[4], "build", "-o", scratch / "from_go", cwd=HERE.parent.parent / "examples/go",
            env={**env, "GOCACHE": str(scratch / "go"), "GOFLAGS": "-mod=mod"})
        from_other_languages.append(scratch / "from_go")

    model = run("pkg-config", "--variable=modelsdir", "tutti", env=env).strip() + "/demo-paraformer"
    texts = {run(scratch / "cmake/consumer", model, SAMPLE), run(scratch / "with_pkg_config", model, SAMPLE, env=env)}
    texts.add(run(prefix / "bin/tutti", "transcribe", "--model", "demo-paraformer", SAMPLE))  # it finds the installed ones
    assert texts == {"goodbye\n"}, texts
    vad = pathlib.Path(model).parent / "fsmn-vad"
    for program in from_other_languages:
        found = run(program, model, vad, SAMPLE, SAMPLE, env=env)
        assert found == "goodbye\ngoodbye\n", f"{program}: {found}"
    assert "tutti" in only(prefix, "tutti.1").read_text()
    run("bash", "-n", only(prefix, "completions") / "tutti")


if __name__ == "__main__":
    main()
