# What a user and CI run. Everything lives in .venv; nothing is installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements/development.txt requirements/sam.txt

.PHONY: help set-up demo sim bench test lint types conformance docs lock clean build-RingfenceFunction

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: $(LOCKS) pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/development.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m ringfence_ops.cloudformation.artefact
	@touch $@

# The SAM CLI pins another botocore than the emulators do, so it has an environment of its own.
$(VENV)/sam/.ready: requirements/sam.txt
	$(PYTHON) -m venv $(VENV)/sam
	$(VENV)/sam/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/sam.txt
	@touch $@

# Nothing but the plots of the documentation needs what draws them.
$(VENV)/plots/.ready: requirements/plots.txt
	$(PYTHON) -m venv $(VENV)/plots
	$(VENV)/plots/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/plots.txt
	@touch $@

set-up: $(VENV)/.ready ## Make .venv with everything the project needs

lint: set-up ## Style and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: set-up ## Static types
	$(BIN)/mypy

demo: set-up ## Play the whole story on a private AWS on this machine
	$(BIN)/ringfence lab demo

sim: set-up ## Play histories of the engine under faults, from a fresh seed: [HISTORIES=]
	$(BIN)/ringfence lab sim $(if $(HISTORIES),--histories "$(HISTORIES)")

bench: set-up ## Measure the engine beside a baseline, in under five minutes: [SHORT=1: the calls alone]
	$(BIN)/python -m benchmarks $(if $(SHORT),--short)

test: lint types $(VENV)/sam/.ready ## Prove everything
	$(BIN)/python tools/generate_schemas.py --check
	$(BIN)/python tools/generate_docs.py --check
	$(BIN)/pytest -n 2 --dist loadfile # a file's tests share a lab, and some build on those before them

conformance: set-up ## Hold a real account to what the tests assume of AWS: PROFILE= REGION= PEER_REGION= [YES=1] [PART=]
	@$(BIN)/python -m tests.contract.conformance $(if $(PROFILE),--profile "$(PROFILE)") --region "$(REGION)" \
		--peer-region "$(PEER_REGION)" $(if $(YES),--yes) $(if $(PART),-- -k "$(PART)")

docs: set-up $(VENV)/plots/.ready ## Write into the documents what is made by a command
	$(BIN)/python tools/generate_schemas.py
	$(BIN)/python tools/generate_docs.py --demo
	$(BIN)/python tools/generate_docs.py --captures
	$(BIN)/python -m benchmarks --write
	$(VENV)/plots/bin/python tools/draw_plots.py

lock: set-up ## Pin every dependency anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra operator --extra lab --extra development --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements/development.txt
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.13 --generate-hashes --no-header --no-annotate -c requirements/development.txt -o requirements/engine.txt
	$(BIN)/uv pip compile requirements/sam.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements/sam.txt
	$(BIN)/uv pip compile requirements/plots.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements/plots.txt

clean: ## Remove what was built
	rm -rf .build .aws-sam .mypy_cache .ruff_cache .pytest_cache

build-RingfenceFunction: # what `sam build` calls
	$(PYTHON) -m distribution.build_artefact "$(ARTIFACTS_DIR)"
