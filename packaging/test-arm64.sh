#!/bin/sh
# test-arm64.sh [DIR] - runs the arm64 binary of the packages in DIR (bin/packages) under qemu: its version, and its packaged configuration.
set -eu
dir=${1:-$(dirname "$0")/../bin/packages}
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
if [ -z "$qemu" ]; then
	echo "skipped: qemu-aarch64 is not installed"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$(ls "$dir"/pingap-*-linux-arm64.tar.gz)" -C "$work" --strip-components 1
case $(od -An -tx1 -j18 -N2 "$work/usr/bin/pingap") in
" b7 00") ;; # e_machine of ELF: AArch64
*) echo "not an arm64 binary" >&2; exit 1 ;;
esac
"$qemu" "$work/usr/bin/pingap" -V
"$qemu" "$work/usr/bin/pingap" -t --strict -c "$work/etc/pingap/pingap.toml"
