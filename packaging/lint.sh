#!/bin/sh
# lint.sh [DIR] - lintian and rpmlint over the packages in DIR (bin/packages); fails on errors. What is meant as it is stands, with
# its reason, in deb/lintian-overrides and rpm/rpmlint.toml. A tool that is missing is named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../bin/packages}"
result=0

if command -v lintian >/dev/null; then
	for file in pingap_*.deb; do
		echo "lintian $file"
		lintian --allow-root --no-cfg --fail-on error "$file" || result=1
	done
else
	echo "skipped: lintian is not installed"
fi

if command -v rpmlint >/dev/null; then
	# rpmlint unpacks with cpio, and the names in our packages are absolute: without this they would land in the running system.
	shim=$(mktemp -d)
	trap 'rm -rf "$shim"' EXIT
	printf '#!/bin/sh\nexec %s --no-absolute-filenames "$@"\n' "$(command -v cpio)" >"$shim/cpio"
	chmod 755 "$shim/cpio"
	for file in pingap-*.rpm; do
		echo "rpmlint $file"
		PATH=$shim:$PATH rpmlint --config "$here/rpm/rpmlint.toml" "$file" || result=1
	done
else
	echo "skipped: rpmlint is not installed"
fi
exit $result
