#!/bin/sh
# Installs what judges the protocols (doc.go), below the folder that is its argument, or as packages of the system where this is root.
# What cannot be had is said and left out: the tests that need it are skipped by name. Nothing is fetched that is already there.
set -u
into=$(mkdir -p "$1" && cd "$1" && pwd)
go=${GO:-go}

# Programs and their packages in Debian.
need=
add() { command -v "$1" >/dev/null || need="$need $2"; }
add nginx nginx-light
add haproxy haproxy
add curl curl
add openssl openssl
add node nodejs
add npm npm
add chromium chromium
add testssl testssl.sh
add h2load nghttp2-client
add redis-server redis-server
add promtool prometheus
add prometheus-pushgateway prometheus-pushgateway
add etcd etcd-server
add etcdctl etcd-client
if [ -n "$need" ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	# Only the programs are wanted: a policy that forbids it keeps the packages from starting their services.
	policy=/usr/sbin/policy-rc.d
	[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 755 "$policy"; trap 'rm -f "$policy"' EXIT; }
	apt-get update -qq
	# One by one, so that one that is missing does not cost the others.
	for package in $need; do
		apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "not installed: $package"
	done
fi

# Go programs, each outside of pingap's module: name, package, version.
while read -r name package version; do
	[ -x "$into/$name" ] && continue
	folder=$(mktemp -d)
	if (cd / && GOFLAGS= GOBIN="$folder" "$go" install "$package@$version"); then
		mv "$folder/$(basename "$package")" "$into/$name"
	else
		echo "not installed: $name ($package@$version)"
	fi
	rm -rf "$folder"
done <<END
h2spec github.com/summerwind/h2spec/cmd/h2spec latest
connectconformance connectrpc.com/conformance/cmd/connectconformance v1.0.7
referenceserver connectrpc.com/conformance/cmd/referenceserver v1.0.7
interop-client google.golang.org/grpc/interop/client v1.85.0
interop-server google.golang.org/grpc/interop/server v1.85.0
ghz github.com/bojand/ghz/cmd/ghz v0.93.0
toxiproxy-server github.com/Shopify/toxiproxy/v2/cmd/server v2.12.0
END

# Packages of npm, all in one command: it removes what it was not asked for before.
if ! [ -d "$into/node_modules/ws" ] || ! [ -d "$into/node_modules/http-cache-tests" ]; then
	npm install --silent --no-audit --no-fund --prefix "$into" ws@8.23.0 http-cache-tests@0.4.5 || echo "not installed: ws, http-cache-tests"
fi

# What the panel is built and driven with, as its lock file says.
panel=$(dirname "$0")/../../control/admin/web
if ! cmp -s "$panel/package-lock.json" "$into/panel/package-lock.json" || ! [ -d "$into/panel/node_modules/vite" ]; then
	mkdir -p "$into/panel" && cp "$panel/package.json" "$panel/package-lock.json" "$into/panel/"
	(cd "$into/panel" && npm ci --silent --no-audit --no-fund) || { rm -f "$into/panel/package-lock.json"; echo "not installed: packages of the panel"; }
fi
exit 0
