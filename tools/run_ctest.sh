#!/bin/sh
# usage: run_ctest.sh PRESET JOBS
# ctest, and what failed once more at the end, where one looks first and where a log that is cut keeps it.
set -u
ctest --preset "$1" -j "$2" && exit 0
status=$?
log="$(dirname "$0")/../build/$1/Testing/Temporary/LastTest.log"
printf '\n---- what failed, from %s\n' "$log"
awk '
  / Testing: /         { name = $3; lines = 0; seen = 0 }
  /^<end of output>$/  { inside = 0 }
  inside               { kept[lines++] = substr($0, 1, 400)
                         if (!seen && /: Failure$|ERROR: |runtime error: |WARNING: ThreadSanitizer|Traceback|AssertionError/) seen = lines }
  /^Output:$/          { inside = 1 }
  /^Test Failed\.$|^Test (Time|time)out|^Test not/ {
    print "-- " name
    first = seen ? seen - 1 : lines - 12
    for (i = first < 0 ? 0 : first; i < lines && i < first + 14; ++i) print kept[i]
  }' "$log" | head -80
exit $status
