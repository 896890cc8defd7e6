# Every target says what it does: make help.
.DEFAULT_GOAL := help
.PHONY: help test race lint fuzz long bench quickstart golden ci

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

test: ## run the tests, as the README says
	go test ./...

race: ## run the tests with the race detector
	go test -race ./...

lint: ## formatting, vet and staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

fuzz: ## fuzz every parser for FUZZTIME (default 30s) each
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
		echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $${FUZZTIME:-30s} $$p || exit 1; done; done

# What `make long` takes; smaller ones show quickly that it works: make long KILLS=2 CHECKS=5 FUZZTIME=100x BENCHTIME=1x VOTERS=100x
KILLS ?= 200
CHECKS ?= 2000
BENCHTIME ?= 1s
VOTERS ?= 100000x

long: FUZZTIME ?= 200000x # a number and not a time: at the end of a time the fuzzer sometimes fails by itself (golang/go#75804)
long: ## everything about time, load and crashes in its long form: an hour or more
	go test ./internal/crash -kills $(KILLS) -timeout 60m -v
	go test ./examples/bans -every 1 -timeout 60m
	go test -run TestAnEffectIsThereOnce -deaths 1 .
	go test ./store/memory ./store/sqlite ./vote ./internal/pace -rapid.checks $(CHECKS) -timeout 60m
	go test -run 'Outcomes|ListModel|Tamper|EndpointsHear' -rapid.checks $(CHECKS) -timeout 60m .
	$(MAKE) race
	$(MAKE) fuzz FUZZTIME=$(FUZZTIME)
	go test -run '^$$' -bench . -benchtime $(BENCHTIME) -timeout 60m ./bench
	go test -run '^$$' -bench 'VoteFlood|LimitDurableHTTP' -benchtime $(VOTERS) -timeout 60m ./bench

bench: ## print every figure beside its limit
	go test -run '^$$' -bench . ./bench

quickstart: ## govern a community on an in-process Slack
	go run ./examples/quickstart

golden: ## rewrite the golden manifests of plugins; a changed schema still needs a new version
	go test ./plugins/... -update

ci: ## everything that a change has to pass
	.ci/run
