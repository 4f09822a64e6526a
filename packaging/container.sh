#!/bin/sh
# container.sh OUT BINARY - fills OUT with what packaging/Dockerfile copies: root/ belongs to root, own/ to the user of the image.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 OUT BINARY" >&2; exit 2; }
here=$(dirname "$0")
rm -rf "$1"
mkdir -p "$1/root/etc" "$1/own/run/pingap" "$1/own/var/lib/pingap"
chmod 0750 "$1/own/run/pingap"
chmod 0700 "$1/own/var/lib/pingap"
install -D -m 0755 "$2" "$1/root/usr/bin/pingap"
install -D -m 0644 "$here/files/container.toml" "$1/root/etc/pingap/pingap.toml"
install -D -m 0644 "$here/copyright" "$1/root/usr/share/doc/pingap/copyright"
printf 'root:x:0:0:root:/:/sbin/nologin\npingap:x:65532:65532:pingap:/var/lib/pingap:/sbin/nologin\n' >"$1/root/etc/passwd"
printf 'root:x:0:\npingap:x:65532:\n' >"$1/root/etc/group"
