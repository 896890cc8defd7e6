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

long: ## everything about time, load and crashes in its long form: about an hour
	go test ./internal/crash -kills 200 -timeout 60m -v
	go test ./store/... -rapid.checks 2000 -timeout 60m
	$(MAKE) fuzz FUZZTIME=60s
	go test -run '^$$' -bench . -timeout 60m ./bench
	go test -run '^$$' -bench VoteFlood -benchtime 100000x -timeout 60m ./bench

bench: ## print every figure beside its limit
	go test -run '^$$' -bench . ./bench

quickstart: ## govern a community on an in-process Slack
	go run ./examples/quickstart

golden: ## rewrite the golden manifests of plugins; a changed schema still needs a new version
	go test ./plugins/... -update

ci: ## everything that a change has to pass
	.ci/run
