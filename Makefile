# Everything needs Go (see go.mod); tests and the bench also a C compiler. Nothing else has to be set up:
# modules are fetched by the first build.

GO        ?= go
BIN       := bin/pingap
RUN_FLAGS ?= --sample
FUZZTIME  ?= 20s
SOAK      ?= 10m
SOAK_MINUTES ?= 60
RELOADS   ?= 20
SOAK_TESTS   ?= ^TestFault
BENCH     ?=
PROFILE   := cmd/pingap/pingap.pgo
PROFILED  := 0.2 KiB,16 KiB,64 KiB body,direct answer,TLS keep-alive,h2
DESTDIR   ?=
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Tools and tests of the tree gain nothing from the race detector.
RACE_SKIP := ^pingap/(bench$$|internal/|e2e)

.PHONY: all build run tools test lint bench bench-quick bench-reload bench-heal bench-plugins profile fuzz panel soak clean packages packages-check install uninstall container

all: build

# Static, with the commit stamped by the Go tool (pingap -V shows it); pollorder's flag is for latencies (internal/pollorder), the profile
# spares some CPU time (docs/decisions/0032).
build:
	CGO_ENABLED=0 $(GO) build $$($(GO) run ./internal/pollorder bin/pollorder) -pgo=$(PROFILE) -trimpath -buildvcs=auto -o $(BIN) ./cmd/pingap

# The sample configuration with an upstream of its own; RUN_FLAGS="-c my.toml" serves another.
run: build
	$(BIN) $(RUN_FLAGS)

# Programs that judge the protocols in tests and bench (e2e/protocols/doc.go); the first time takes minutes. What cannot be had is said, and
# its tests are skipped by name.
tools:
	@GO=$(GO) e2e/protocols/install.sh bin/tools

# go vet, all tests, and all but the tools once more under the race detector. The closing line counts both runs; tests that fail
# only among the others are said before it (docs/decisions/0021-unsteady-tests.md).
test: tools
	$(GO) vet ./...
	$(GO) build -o bin/testsummary ./internal/testsummary
	bin/testsummary -timeout=20m ./... -- -race -timeout=30m $$($(GO) list ./... | grep -Ev '$(RACE_SKIP)')

lint:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

# The whole table, under 15 minutes. BENCH="-rows '1 MiB'" and so on: bench/README.md.
bench: tools
	$(GO) run ./bench $(BENCH)

bench-quick:
	$(GO) run ./bench -quick $(BENCH)

# The profile of workers under the bench's load anew, after the request path has changed much. It takes some minutes.
profile: tools
	rm -rf /tmp/pingap-profiles && install -d -m 1777 /tmp/pingap-profiles
	CGO_ENABLED=0 $(GO) build -tags profile -pgo=off $$($(GO) run ./internal/pollorder bin/pollorder) -trimpath -o /tmp/pingap-profiles/pingap ./cmd/pingap
	$(GO) run ./bench -pingap /tmp/pingap-profiles/pingap -rounds 3 -json '' -proxies pingap -rows '$(PROFILED)'
	$(GO) tool pprof -proto /tmp/pingap-profiles/*.pprof >$(PROFILE).new
	mv $(PROFILE).new $(PROFILE) && rm -rf /tmp/pingap-profiles

# Requests lost by RELOADS reloads of nginx, HAProxy and this build, counted by the same clients; fails if ours are not 0.
bench-reload:
	$(GO) run ./bench -reload $(RELOADS) $(BENCH)

# What health checks, rules of retries and changes by discovery cost (bench/README.md).
bench-heal:
	$(GO) run ./bench -heal $(BENCH)

# What plugins cost, beside nginx or an instance without. BENCH="-rows gzip" for some.
bench-plugins:
	$(GO) run ./bench -plugins $(BENCH)

# Every fuzz target for FUZZTIME. The Go tool now and then reports its own end as "context deadline exceeded"; a finding names
# its failing input. Inputs that reach new code are minimised for a second, not a minute: with slow targets nothing else would be done.
fuzz:
	@$(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/ { n[++c] = $$1 } /^ok/ { for (i = 1; i <= c; i++) print $$2, n[i]; c = 0 }' | \
	while read -r pkg name; do \
		echo "$$pkg $$name"; \
		out=$$($(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime=1s "$$pkg" 2>&1); result=$$?; \
		echo "$$out" | tail -n 12; \
		if [ $$result -ne 0 ] && ! { echo "$$out" | grep -q 'context deadline exceeded' && \
			! echo "$$out" | grep -q 'Failing input'; }; then exit 1; fi; \
	done

# The panel (control/admin/web) anew from its sources: dist is checked in, and a test holds that it is what this makes.
panel:
	cd control/admin/web && npm ci --no-audit --no-fund && npm run check && npm run build

# The long forms of all fault tests (hundreds of applies, restarts, kills), SOAK_MINUTES of faults drawn by lot, then full load and
# reloads for SOAK. Fails on any request that is lost and on what keeps growing. SOAK_TESTS chooses some of the tests.
soak:
	SOAK_MINUTES=$(SOAK_MINUTES) $(GO) test ./e2e -count=1 -timeout 0 -v -run '$(SOAK_TESTS)'
	$(GO) run ./bench -soak $(SOAK)

# deb, rpm and tar.gz for amd64 and arm64 with their checksums, in bin/packages; packaging/README.md.
packages:
	packaging/build.sh bin/packages

# What must hold of them: built again they have the same bytes, lintian and rpmlint find no error, the arm64 binary runs.
packages-check: packages
	packaging/build.sh bin/packages-again >/dev/null
	cmp bin/packages/SHA256SUMS bin/packages-again/SHA256SUMS
	packaging/lint.sh bin/packages
	packaging/test-arm64.sh bin/packages

# Without a package manager: the same files, below DESTDIR. Then: systemd-sysusers, systemctl enable --now pingap.
install: build bin/documents
	packaging/install.sh install "$(DESTDIR)" $(BIN) bin/documents

uninstall:
	packaging/install.sh uninstall "$(DESTDIR)" $(BIN) bin/documents

.PHONY: bin/documents
bin/documents: build
	$(BIN) describe | $(GO) run ./packaging/internal/gendist -date "$$(date -u +%Y-%m-%d)" $@

# A folder that packaging/Dockerfile makes an image of, for this machine's architecture: docker build -f packaging/Dockerfile bin/container
container: build
	packaging/container.sh bin/container $(BIN)

clean:
	rm -rf bin bench.json
