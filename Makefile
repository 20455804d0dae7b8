# make test   everything that must pass, race detector on
# make conformance  docs/conformance.md, from a run of the numbered tests
# make bench  the benchmarks and the table of ratios
# make lint   formatting, vet, golangci-lint
# make build  bin/upcall, one static binary
# make fuzz   every fuzz target for FUZZTIME each
# make soak   100 000 connections and ten million overlapped operations over
#             each kind of chain; make test runs a short form

GO         ?= go
FUZZTIME   ?= 20s
GOLANGCI   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
TESTFLAGS  ?=

.PHONY: all build setup test conformance bench lint fuzz soak clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/upcall ./cmd/upcall

# Installs what the tests drive, or says exactly what is missing.
setup:
	@scripts/setup

test: setup
	CGO_ENABLED=1 $(GO) test -race -timeout 15m $(TESTFLAGS) ./...

conformance:
	CGO_ENABLED=1 $(GO) test -race -json -run '^TestBehaviour' $$($(GO) run ./internal/behaviours packages) | \
		$(GO) run ./internal/behaviours write docs/conformance.md

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
