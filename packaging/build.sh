#!/bin/sh
# build.sh [OUT] - builds deb, rpm and tar.gz for amd64 and arm64, and their checksums, into OUT (bin/packages). The same commit gives
# the same bytes: times are those of the commit, paths are trimmed, orders are fixed.
#
#   PACKAGE_VERSION   in place of the program's version, which gets the commit's time and hash when the commit has no tag
#   PACKAGE_ARCHS     "amd64 arm64"
#   PACKAGE_LDFLAGS   more flags of the linker
#   SOURCE_DATE_EPOCH in place of the commit's time
set -eu
umask 022
export LC_ALL=C TZ=UTC
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:-$top/bin/packages}"
out=$(cd "${1:-$top/bin/packages}" && pwd)
cd "$top"
go=${GO:-go}
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
work=$(mktemp -d "${TMPDIR:-/tmp}/pingap-packages.XXXXXX")
trap 'rm -rf "$work"' EXIT

order=$($go run ./internal/pollorder "$work/pollorder")

# The description comes from a binary for this machine, whatever the packages are for.
CGO_ENABLED=0 $go build -trimpath -buildvcs=auto -o "$work/pingap" ./cmd/pingap
version=$("$work/pingap" describe | sed -n 's/^{"version":"\([^"]*\)".*/\1/p')
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
export SOURCE_DATE_EPOCH
if [ -z "${PACKAGE_VERSION:-}" ]; then
	PACKAGE_VERSION=$version
	hash=$(git rev-parse --short=8 HEAD 2>/dev/null || true)
	if [ -n "$hash" ] && [ "$(git tag --points-at HEAD --list "v$version")" = "" ]; then
		# The tilde sorts before the release itself.
		PACKAGE_VERSION="$version~$(date -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$hash"
	fi
fi
export PACKAGE_VERSION
date=$(date -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
"$work/pingap" describe | $go run ./packaging/internal/gendist -date "$date" "$work/documents"
sed "s/@VERSION@/$PACKAGE_VERSION-1/; s/@DATE@/$(date -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)/" packaging/changelog.yaml >"$work/changelog.yaml"
ln -s "$top" "$work/top"
GOBIN="$work/bin" GOFLAGS='' $go install $nfpm

rm -f "$out"/pingap*.deb "$out"/pingap*.rpm "$out"/pingap*.tar.gz "$out/SHA256SUMS"
for arch in ${PACKAGE_ARCHS:-amd64 arm64}; do
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch $go build $order -pgo=cmd/pingap/pingap.pgo -trimpath -buildvcs=auto -ldflags "-s -w ${PACKAGE_LDFLAGS:-}" -o "$work/pingap-$arch" ./cmd/pingap
	rm -rf "$work/stage"
	packaging/install.sh install "$work/stage" "$work/pingap-$arch" "$work/documents"
	for kind in deb rpm; do
		(cd "$work" && PACKAGE_ARCH=$arch bin/nfpm package --config top/packaging/nfpm.yaml --packager $kind --target "$out/" >"$work/log") || { cat "$work/log" >&2; exit 1; }
	done
	install -m 0644 LICENSE README.md "$work/stage/usr/share/doc/pingap/"
	name=pingap-$PACKAGE_VERSION-linux-$arch
	mv "$work/stage" "$work/$name"
	tar --create --directory "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu "$name" |
		gzip -9n >"$out/$name.tar.gz"
done
cd "$out"
sha256sum pingap*.deb pingap*.rpm pingap*.tar.gz >SHA256SUMS
cat SHA256SUMS
