.DEFAULT_GOAL := help
.PHONY: help setup demo serve test e2e fuzz check guard bench clean

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed

help: ## this list
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[embedded,workers,dev]'
	@touch $@

setup: $(STAMP) ## make .venv with everything in it; its command is .venv/bin/cutroom

demo: $(STAMP) ## process a recording end to end; VIDEO=path uses yours, CUTROOM_OFFLINE=1 asks no hub
	$(BIN)/cutroom demo --out demo-output $(if $(VIDEO),"$(VIDEO)")

serve: $(STAMP) ## run a whole server on this machine
	$(BIN)/cutroom serve

test: $(STAMP) ## every test that runs here, in parallel; what is missing is skipped loudly
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not e2e"
	$(BIN)/python -m pytest -m e2e

fuzz: $(STAMP) ## the API by its own document, long; N=200 examples, ARGS="--include-tag videos"
	CUTROOM_FUZZ_EXAMPLES=$(or $(N),200) CUTROOM_FUZZ_ARGS='$(ARGS)' \
		$(BIN)/python -m pytest -s tests/control/test_schema.py

check: $(STAMP) ## format, lint, strict types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

guard: $(STAMP) ## half the margin of the kernels' targets, in a minute
	$(BIN)/python -m benchmarks --guard \
		forced_align frame_change saliency select_clips window_scores

bench: $(STAMP) ## benchmarks against the references and the peers
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[bench]'
	$(BIN)/python -m benchmarks --against peers

clean: ## remove what make made, not what you made
	rm -rf .venv build demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
