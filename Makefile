# Bare `make` prints what there is to make. Needs Go, git and bash; what else a
# target can use is optional, and it says so when that is missing.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
LAB ?= ../shared/lab/lab
# Pinned: the same findings on every machine. Fetched and checked by the Go command.
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The bundled recordings in which something must be found at the demo's level: see
# CONTRIBUTING.md. The template's are not: no program runs it.
ATTACKS = $(filter-out center/detect/template/%,$(dir $(shell \
	grep -lE '^level: *low' $$(grep -lE '^verdict: *alert' center/detect/*/testdata/*/scenario.yaml) 2>/dev/null)))
RECORDINGS = $(wildcard $(addsuffix capture.pcap,$(ATTACKS)) $(addsuffix events.json,$(ATTACKS)))

# go test -v without its chatter: what is left is failures, skips with their
# reason, and one line a package. What programs under test log is left out too:
# a test run by itself shows it.
QUIET = grep --line-buffered -vE '^ *(=== (RUN|PAUSE|CONT|NAME) |--- PASS: |time=[^ ]* level=)|^PASS$$'

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
build: ## build ./verderer and ./verderer-sensor; with Node installed, make console first puts the pages in
	CGO_ENABLED=0 $(GO) build -trimpath -o . ./cmd/verderer ./cmd/verderer-sensor

# What the console is built of. Its own build is skipped when none of it changed.
PAGES = $(shell git ls-files --cached --others --exclude-standard console 2>/dev/null | grep -vE '^console/(dist/|.*\.go$$)')

.PHONY: console
console: console/dist/index.html ## build the console's pages into console/dist (needs Node and npm)

console/node_modules/.package-lock.json: console/package.json console/package-lock.json
	cd console && npm ci --no-audit --no-fund
	@touch $@

console/dist/index.html: console/node_modules/.package-lock.json $(PAGES)
	cd console && npm run build
	@touch $@

.PHONY: demo
demo: console build ## run center and sensor on the recorded attacks: ONCE=1 prints the alerts and ends
	@[ -n "$(RECORDINGS)" ] || { echo 'no recording in center/detect/*/testdata has the verdict alert'; exit 1; }
	@$(GO) build -o out/demo ./tools/demo
	@exec out/demo $(if $(ONCE),--once) $(RECORDINGS)

.PHONY: analyze
analyze: build ## analyze files or folders: IN=capture.pcap, or IN="a.pcap folder"
	@[ -n "$(IN)" ] || { echo 'usage: make analyze IN="FILES…"'; exit 2; }
	./verderer analyze $(IN)

# Where the pages were built once, the tests are of the pages as they are now.
.PHONY: test
test: $(if $(wildcard console/dist/index.html),console) ## every Go test but benchmarks and fuzzing; prints what was skipped, and why
	@$(GO) test -v -timeout 20m ./... | $(QUIET)

.PHONY: test-short
test-short: ## the quick tests, under a minute
	$(GO) test -short ./...

.PHONY: test-race
test-race: ## every Go test under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 30m ./...

.PHONY: faults
faults: ## the service under fault for longer than make test has time for: a minute without network, 50 kills
	VERDERER_FAULTS=all $(GO) test -v -count=1 -timeout 60m ./e2e/service | $(QUIET)

.PHONY: lab-test
lab-test: ## the sensor on a real domain controller, every scenario of the lab: LAB=path of its program
	@[ -x "$(LAB)" ] || { echo 'no lab at LAB=$(LAB)'; exit 2; }
	VERDERER_LAB=$(abspath $(LAB)) $(GO) test -v -count=1 -timeout 60m -run TestLab ./e2e/service

.PHONY: console-test
console-test: console build ## a browser through the console of a real center: set up, alerts arriving, closing, axe
	VERDERER_BROWSER=need $(GO) test -v -count=1 -timeout 20m -run TestBrowser ./e2e/service

.PHONY: screenshots
screenshots: console build ## take the pictures of docs/console anew
	VERDERER_BROWSER=need VERDERER_SCREENSHOTS=$(abspath docs/console) $(GO) test -v -count=1 -timeout 20m -run TestBrowser ./e2e/service

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
generate: ## write generated files anew; the console's client of the API only where npm is installed
	$(GO) generate ./...
	@if command -v npm >/dev/null; then cd console && npm run --silent generate; \
	else echo 'console/src/generated: left alone, npm is not installed'; fi

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
	rm -rf verderer verderer-sensor out console/node_modules
	git clean -fdXq console/dist
