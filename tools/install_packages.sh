#!/bin/sh
# Installs what packages.txt lists under the given sections (default: build) and this machine lacks.
# With nothing missing it touches neither apt nor the network.
set -eu
list=$(dirname "$0")/../packages.txt
[ $# -gt 0 ] || set -- build

wanted=$(for section; do
  awk -v section="[$section]" '{ sub(/#.*/, "") } /^\[/ { inside = ($1 == section); next } inside && NF { print $1 }' "$list"
done)
missing=
for package in $wanted; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

give_up() {
  echo "tutti needs these Debian packages:$missing" >&2
  echo "$1 Get them with:" >&2
  echo "  sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
  exit 1
}

if [ "$(id -u)" = 0 ]; then
  root=
elif ! command -v sudo >/dev/null; then
  give_up "They can be installed by root only, and there is no sudo."
elif [ -t 0 ]; then
  root=sudo
else
  root="sudo -n"  # nobody is there to type a password
fi

echo "installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  $root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 $missing >"$log" 2>&1
}
# apt-get update reports success even when a mirror cannot be reached; the installation tells.
$root apt-get update -q >"$log" 2>&1 && install || {
  tail -n 15 "$log" >&2
  give_up "apt-get could not install them; without network, prepare the machine beforehand."
}
