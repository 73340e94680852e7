#!/bin/sh
# Runs every fuzzer of build/fuzz/bin for some seconds, several at a time, from fuzz/corpus/NAME, or where there is none from
# tests/data/NAME: what a run finds stays in build/fuzz/corpus. A crash prints its input and fails the whole.
# Readers of model files and audio, and voice activity, run for 60 s at least.
# usage: fuzz.sh SECONDS JOBS
cd "$(dirname "$0")/.."

fuzz_one() {
  name=$(basename "$1" _fuzz)
  found=build/fuzz/corpus/$name
  log=build/fuzz/$name.log
  seeds=fuzz/corpus/$name
  [ -d "$seeds" ] || seeds=tests/data/$name
  mkdir -p "$found"
  case $name in
    audio | cmvn | config | onnx | torch | vad) seconds=$(($2 > 60 ? $2 : 60)) ;;
    *) seconds=$2 ;;
  esac
  if "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/$name-" "$found" "$seeds" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    coverage=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    echo "fuzz: $name: $runs inputs in $seconds s, $coverage edges covered"
  else
    tail -n 60 "$log"
    echo "fuzz: $name failed; its input is at build/fuzz/$name-*" >&2
    return 1
  fi
}

if [ -n "$3" ]; then
  fuzz_one "$3" "$1"
else
  ls build/fuzz/bin/*_fuzz | xargs -P "$2" -I FUZZER tools/fuzz.sh "$1" "$2" FUZZER
fi
