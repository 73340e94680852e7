#!/bin/sh
# The arm64 halves of packages.txt's libraries in .cache/aarch64, for cross builds. They are unpacked, not installed:
# this machine's packages stay as they are.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/.cache/aarch64
recipe=$root.packages

packages=$(awk '{ sub(/#.*/, "") } /^\[/ { inside = ($1 == "[build]"); next } inside && /-dev/ { printf "%s,", $1 }' packages.txt)libc6-dev
[ ! -f "$recipe" ] || [ "$(cat "$recipe")" != "$packages" ] || exit 0

echo "unpacking arm64 packages into .cache/aarch64"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rm -rf "$root" "$recipe"
mkdir -p "$root"
mmdebstrap --variant=extract --architectures=arm64 --include="$packages" bookworm "$root" \
  "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$log" 2>&1 || {
  tail -n 5 "$log" >&2
  echo "Cannot get the arm64 packages; without network, copy .cache/aarch64 from a machine where \`make aarch64\` worked." >&2
  exit 1
}
echo "$packages" >"$recipe"
