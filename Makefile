# make test   everything that must pass, race detector on
# make sanitize  the C door's tests with AddressSanitizer and ThreadSanitizer;
#             make test runs a part of them
# make conformance  docs/conformance.md, from a run of the numbered tests
# make programs  docs/programs.md, from a run of real programs over every chain
# make bench  the benchmarks and the table of ratios
# make lint   formatting, vet, golangci-lint
# make build  bin/upcall, one static binary
# make library  bin/libws2_32.so.0, the C door
# make host   bin/libexec/upcall-host, by which upcall run loads providers in C
# make install  upcall, the library and the headers into PREFIX, under DESTDIR
# make fuzz   every fuzz target for FUZZTIME each
# make soak   100 000 connections and ten million overlapped operations over
#             each kind of chain; make test runs a short form

GO         ?= go
FUZZTIME   ?= 20s
GOLANGCI   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
TESTFLAGS  ?=
PREFIX     ?= /usr/local
DESTDIR    ?=
VERSION    ?= 0.1.0
# Where build leaves the command.
BIN        ?= bin
# The directory of a library that was built before; make install builds one else.
LIBRARY    ?=
# The same of upcall-host; none leaves it out.
HOST       ?=

.PHONY: all build library host install setup test sanitize conformance programs bench lint fuzz soak clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o "$(BIN)/upcall" ./cmd/upcall

library:
	@scripts/build-library bin

host:
	@scripts/build-host bin/libexec

ifeq ($(LIBRARY),)
install: library
endif
ifeq ($(HOST),)
install: host
endif
install: build
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/pkgconfig"
	install -m 755 "$(BIN)/upcall" "$(DESTDIR)$(PREFIX)/bin/upcall"
	install -m 644 "$(or $(LIBRARY),bin)/libws2_32.so.0" "$(DESTDIR)$(PREFIX)/lib/libws2_32.so.0"
	ln -sf libws2_32.so.0 "$(DESTDIR)$(PREFIX)/lib/libws2_32.so"
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' capi/libws2_32/upcall.pc.in >"$(DESTDIR)$(PREFIX)/lib/pkgconfig/upcall.pc"
ifneq ($(HOST),none)
	install -d "$(DESTDIR)$(PREFIX)/libexec/upcall"
	install -m 755 "$(or $(HOST),bin/libexec)/upcall-host" "$(or $(HOST),bin/libexec)/libws2_32.so.0" "$(DESTDIR)$(PREFIX)/libexec/upcall/"
endif
	cd include && find upcall -type f -exec install -D -m 644 "{}" "$(DESTDIR)$(PREFIX)/include/{}" \;

# Installs what the tests drive, or says exactly what is missing.
setup:
	@scripts/setup

# By default the race detector ends each process a second late, for races of what
# still runs then; the tests start hundreds of processes and leave nothing running.
test: setup
	CGO_ENABLED=1 GORACE="atexit_sleep_ms=10 $$GORACE" $(GO) test -race -timeout 60m $(TESTFLAGS) ./...

sanitize:
	for sanitizer in address thread; do \
		UPCALL_TEST_SANITIZE=$$sanitizer CGO_ENABLED=1 $(GO) test -count=1 -timeout 60m $(TESTFLAGS) \
			./capi/conformance ./capi/ctest ./capi/provider ./capi/windows ./capi/winsock || exit 1; \
	done

conformance:
	CGO_ENABLED=1 $(GO) test -race -json -run '^TestBehaviour' $$($(GO) run ./internal/behaviours packages) | \
		$(GO) run ./internal/behaviours write docs/conformance.md

programs: setup
	$(GO) test -count=1 ./launch/matrix -run '^TestPrograms$$' -page ../../docs/programs.md

bench:
	@scripts/bench

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "lint: run gofmt -w on the files above" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) run $(GOLANGCI) run ./...

fuzz:
	@scripts/fuzz $(FUZZTIME)

soak:
	$(GO) test -timeout 60m -v ./conformance/soak -connections 100000 -operations 10000000

clean:
	rm -rf bin
