#!/bin/sh
# Everything that can be said about the tree without running it. Every check runs; any of them fails the whole.
# usage: lint.sh JOBS
cd "$(dirname "$0")/.."
jobs=$1
PYTHON=${PYTHON:-/usr/bin/python3}
failed=

check() {  # NAME COMMAND…
  name=$1
  shift
  started=$(date +%s)
  "$@" || failed="$failed $name"
  echo "lint: $name took $(($(date +%s) - started)) s"
}

formatting() { find src include tests fuzz python examples -name '*.h' -o -name '*.cc' -o -name '*.c' | xargs clang-format-16 --dry-run -Werror; }
# clang-tidy is the other compiler as well: it parses every file with -Wall -Wextra -Wthread-safety -Werror.
tidy() {
  cmake --preset lint >build/lint.log || { cat build/lint.log; return 1; }
  run-clang-tidy-16 -quiet -p build/lint -j "$jobs" "$PWD/((src|tests|python)/|build/lint/.*/Unity/)" 2>build/tidy.err >build/tidy.log ||
    { grep -v '^clang-tidy-16 ' build/tidy.log; return 1; }
}

mkdir -p build
check format formatting
check floors "$PYTHON" tools/check_floors.py
check readmes "$PYTHON" tools/check_readmes.py
check tidy tidy
[ -z "$failed" ] || { echo "lint: failed:$failed" >&2; exit 1; }
