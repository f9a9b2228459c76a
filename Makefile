# Bare `make` prints what there is to make. Needs Go, git and bash; what else a
# target can use is optional, and it says so when that is missing.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
# Pinned: the same findings on every machine. Fetched and checked by the Go command.
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The bundled recordings in which something must be found: see CONTRIBUTING.md.
# The template's are not: no program runs it.
ATTACKS = $(filter-out center/detect/template/%,$(dir $(shell \
	grep -lE '^verdict: *alert' center/detect/*/testdata/*/scenario.yaml 2>/dev/null)))
RECORDINGS = $(wildcard $(addsuffix capture.pcap,$(ATTACKS)) $(addsuffix events.json,$(ATTACKS)))

# go test -v without its chatter: what is left is failures, skips with their
# reason, and one line a package.
QUIET = grep --line-buffered -vE '^ *(=== (RUN|PAUSE|CONT|NAME) |--- PASS: )|^PASS$$'

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## fetch modules and pinned tools, and say which optional programs are missing
	$(GO) mod download
	$(STATICCHECK) -version
	@for p in 'tshark:tests compare decoders with it' 'shellcheck:lint reads shell scripts with it' \
		'tcpdump:the floor of make bench' 'suricata:a peer in make bench' 'gcc:make test-race'; do \
		command -v "$${p%%:*}" >/dev/null && echo "$${p%%:*}: found" || echo "$${p%%:*}: absent, optional ($${p#*:})"; done

.PHONY: build
build: ## build ./verderer
	CGO_ENABLED=0 $(GO) build -trimpath -o verderer ./cmd/verderer

.PHONY: demo
demo: build ## analyze the bundled recordings of attacks and print the alerts
	@[ -n "$(RECORDINGS)" ] || { echo 'no recording in center/detect/*/testdata has the verdict alert'; exit 1; }
	./verderer analyze --format table $(RECORDINGS)

.PHONY: analyze
analyze: build ## analyze files or folders: IN=capture.pcap, or IN="a.pcap folder"
	@[ -n "$(IN)" ] || { echo 'usage: make analyze IN="FILES…"'; exit 2; }
	./verderer analyze $(IN)

.PHONY: test
test: ## every Go test but benchmarks and fuzzing; prints what was skipped, and why
	@$(GO) test -v -timeout 10m ./... | $(QUIET)

.PHONY: test-short
test-short: ## the quick tests, under a minute
	$(GO) test -short ./...

.PHONY: test-race
test-race: ## every Go test under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 30m ./...

.PHONY: agree
agree: ## compare the decoders with tshark over the whole corpus (make test takes a sample)
	VERDERER_AGREE=all $(GO) test -v -count=1 -timeout 60m -run 'Tshark|Corpus|TestSameStreams' ./sensor/... | $(QUIET)

.PHONY: golden
golden: ## write the goldens of one package anew, to be reviewed: ONE=./sensor/decode/ldap
	@[ -n "$(ONE)" ] || { echo 'usage: make golden ONE=./FOLDER'; exit 2; }
	@[ -z "$${CI:-}" ] || { echo 'goldens are not written in CI'; exit 1; }
	VERDERER_GOLDEN=write $(GO) test -count=1 $(ONE)
	@git status --short -- $(ONE)

.PHONY: fuzz
fuzz: ## fuzz each target in turn for TIME=30s, or one: ONE=./sensor/decode/ldap:FuzzFilter
	@tools/fuzz "$(or $(TIME),30s)" $(ONE)

.PHONY: bench
bench: ## measure analyze beside its floor and peers, then the packages' benchmarks
	@bench/run

.PHONY: lint
lint: ## formatting, go vet, staticcheck, and shellcheck where it is installed
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "not formatted, run 'make fmt':"; echo "$$bad"; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...
	@if command -v shellcheck >/dev/null; then \
		git grep --untracked -lE '^#!.*[/ ](ba)?sh$$' | xargs shellcheck; echo 'shellcheck: clean'; \
	else echo 'shellcheck: skipped, not installed'; fi

.PHONY: fmt
fmt: ## format the Go code
	gofmt -w .

.PHONY: generate
generate: ## write generated files anew
	$(GO) generate ./...

# Compares with the tree before, not with the last commit, so that it can be
# asked while work is under way.
.PHONY: check-generated
check-generated: ## fail when a generated file is not what `make generate` writes
	@state() { git status --porcelain; git diff | git hash-object --stdin; }; \
	before=$$(state); $(MAKE) generate; after=$$(state); \
	[ "$$before" = "$$after" ] || { git status --short; \
		echo "generated files were out of date: 'make generate' has written them, commit them"; exit 1; }

.PHONY: check
check: lint check-generated test ## exactly what CI runs

.PHONY: new-detector
new-detector: ## start a detector from the template: NAME=its-id
	@$(GO) run ./tools/newunit detector "$(NAME)"

.PHONY: new-decoder
new-decoder: ## start a decoder from the template: NAME=itsname
	@$(GO) run ./tools/newunit decoder "$(NAME)"

.PHONY: clean
clean: ## remove what make built
	rm -rf verderer out
