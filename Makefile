# What users and CI run. Everything is installed in .venv, and the locks in requirements/ name what.
# `make PYTHON=...` names the Python to use instead of the one that tools/find-python finds.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin

# Sets $$python in a recipe's shell, or ends the recipe with the one line that tools/find-python prints.
FIND_PYTHON = python="$(PYTHON)"; [ -n "$$python" ] || python=$$(tools/find-python) || exit 1
INSTALL = tools/install.py

# What `make docs` writes in these files stands between `[[[cog` and `[[[end]]]`.
DOCUMENTS := README.md ARCHITECTURE.md $(wildcard docs/*.md) template.yaml $(wildcard terraform/*.tf) terraform/README.md
COG := $(BIN)/cog --verbosity=1 -I tools -p "from document_parts import *"

.PHONY: help set-up demo sim bench fuzz lint imports workflows types test-fast test documents unit everything conformance \
	site site-serve site-look docs docs-measured release test-release test-terraform lock clean distclean build-RingfenceFunction

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# A new environment where another Python is asked for: one environment never holds two versions.
$(VENV)/pyvenv.cfg: .python-version tools/find-python
	@$(FIND_PYTHON); echo "1 of 4: making $(VENV) with $$python" && "$$python" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/pyvenv.cfg requirements/development.txt
	@echo "2 of 4: installing what the project needs: some minutes where nothing is in pip's cache"
	@$(BIN)/python $(INSTALL) requirements/development.txt
	@touch $@

$(VENV)/.ready: $(VENV)/.installed pyproject.toml
	@echo "3 of 4: installing the command"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo "4 of 4: building the Lambda artefact, which takes up to a minute"
	@$(BIN)/python -m ringfence_ops.cloudformation.artefact
	@touch $@
	@echo "Ready: $(BIN)/ringfence --help, or make demo"

# The SAM CLI pins another botocore than the emulators do, so it has an environment of its own.
$(VENV)/sam/.ready: $(VENV)/pyvenv.cfg requirements/sam.txt
	@echo "Installing the SAM CLI"
	@$(FIND_PYTHON); "$$python" -m venv --clear $(VENV)/sam
	@$(VENV)/sam/bin/python $(INSTALL) requirements/sam.txt
	@touch $@

# Only the plots of the documentation need what draws them.
$(VENV)/plots/.ready: $(VENV)/pyvenv.cfg requirements/plots.txt
	@echo "Installing what draws the plots"
	@$(FIND_PYTHON); "$$python" -m venv --clear $(VENV)/plots
	@$(VENV)/plots/bin/python $(INSTALL) requirements/plots.txt
	@touch $@

# The AWS CLI pins another botocore too. It runs the commands of docs/lab.md in a test.
$(VENV)/awscli/.ready: $(VENV)/pyvenv.cfg requirements/awscli.txt
	@echo "Installing the AWS CLI"
	@$(FIND_PYTHON); "$$python" -m venv --clear $(VENV)/awscli
	@$(VENV)/awscli/bin/python $(INSTALL) requirements/awscli.txt
	@touch $@

# The documentation site has an environment of its own, with the tools of the dependency group `documentation`.
$(VENV)/site/.ready: $(VENV)/pyvenv.cfg requirements/documentation.txt
	@echo "Installing what builds the documentation site"
	@$(FIND_PYTHON); "$$python" -m venv --clear $(VENV)/site
	@$(VENV)/site/bin/python $(INSTALL) requirements/documentation.txt
	@touch $@

# What writes the SBOM of a release.
$(VENV)/release/.ready: $(VENV)/pyvenv.cfg requirements/release.txt
	@echo "Installing what writes the SBOM"
	@$(FIND_PYTHON); "$$python" -m venv --clear $(VENV)/release
	@$(VENV)/release/bin/python $(INSTALL) requirements/release.txt
	@touch $@

# Terraform and an AWS provider, for the test of the module alone: for Linux on x86-64. terraform/README.md says the licences.
$(VENV)/terraform/.ready: $(VENV)/pyvenv.cfg requirements/terraform.txt
	@echo "Installing Terraform for the test of the module: 131 MiB"
	@$(FIND_PYTHON); "$$python" -m venv --clear $(VENV)/terraform
	@$(VENV)/terraform/bin/python $(INSTALL) requirements/terraform.txt
	@touch $@

set-up: $(VENV)/.ready ## Make .venv with everything the project needs: [PYTHON=]

demo: set-up ## Play the whole story on a private AWS on this machine
	$(BIN)/ringfence lab demo

sim: set-up ## Play histories of the engine under faults, from a fresh seed: [HISTORIES=]
	$(BIN)/ringfence lab sim $(if $(HISTORIES),--histories "$(HISTORIES)")

bench: set-up ## Measure the engine beside a baseline, in under five minutes: [SHORT=1: the calls alone]
	$(BIN)/python -m benchmarks $(if $(SHORT),--short)

fuzz: set-up ## Feed every parser and the function with inputs near valid ones: [INPUTS=100000]
	FUZZ_INPUTS="$(INPUTS)" $(BIN)/pytest -n 2 --dist worksteal tests/fuzz

test-fast: set-up ## Check style, layers and types, run the tests of the engine: 90 seconds
	@$(MAKE) --no-print-directory --keep-going -j 2 lint types unit

test: set-up ## Prove everything: about 20 minutes on two cores
	@$(MAKE) --no-print-directory --keep-going -j 2 lint types documents everything

lint: imports workflows ## Check style, layers and the CI workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

imports: set-up
	$(BIN)/lint-imports

workflows: set-up
	$(BIN)/zizmor --offline --quiet .github

types: set-up ## Check static types
	$(BIN)/mypy

documents: set-up
	$(BIN)/python tools/generate_schemas.py --check
	$(BIN)/python tools/draw_diagrams.py --check
	$(COG) --check --diff --check-fail-msg="run: make docs" $(DOCUMENTS)

unit: set-up
	$(BIN)/pytest tests/unit tests/engine

# conftest.py says which tests stay in one process. Tests on a lab wait more than they compute, hence one process more than a
# small machine has cores.
everything: set-up $(VENV)/sam/.ready $(VENV)/awscli/.ready $(VENV)/site/.ready
	$(BIN)/pytest -n 3

conformance: set-up ## Hold a real account to what the tests assume of AWS: PROFILE= REGION= PEER_REGION= [YES=1] [PART=]
	@$(BIN)/python -m tests.contract.conformance $(if $(PROFILE),--profile "$(PROFILE)") --region "$(REGION)" \
		--peer-region "$(PEER_REGION)" $(if $(YES),--yes) $(if $(PART),-- -k "$(PART)")

docs: set-up ## Write the generated parts of the documents
	$(BIN)/python tools/generate_schemas.py
	$(BIN)/python tools/draw_diagrams.py
	$(COG) -r $(DOCUMENTS)

docs-measured: set-up $(VENV)/plots/.ready ## Write the parts that take minutes: the demo, the screens, the benchmarks
	$(BIN)/python tools/write_measured_parts.py
	$(BIN)/python -m benchmarks --write
	$(VENV)/plots/bin/python tools/draw_plots.py

site: $(VENV)/site/.ready ## Build the documentation site in dist/site, and stop at a broken link
	NO_MKDOCS_2_WARNING=1 $(VENV)/site/bin/mkdocs build --strict

site-serve: $(VENV)/site/.ready ## Serve the documentation site on http://127.0.0.1:8000 while it is written
	NO_MKDOCS_2_WARNING=1 $(VENV)/site/bin/mkdocs serve

# Debian's Chromium, at the width of a phone and of a desk. Screenshots are in dist/site-screens.
site-look: site ## Look at the documentation site in a browser
	$(VENV)/site/bin/python tools/look_at_site.py dist/site dist/site-screens

release: set-up $(VENV)/release/.ready ## Check the tree and build a release into dist/: VERSION=
	@CYCLONEDX=$(VENV)/release/bin/cyclonedx-py $(BIN)/python tools/release.py "$(VERSION)"

test-release: set-up $(VENV)/release/.ready ## Build a release twice, install it and deploy to a lab: some minutes
	CYCLONEDX=$(CURDIR)/$(VENV)/release/bin/cyclonedx-py $(BIN)/pytest -m release tests/release

test-terraform: set-up $(VENV)/terraform/.ready ## Apply the Terraform module to a lab: under two minutes
	TERRAFORM_PYTHON=$(CURDIR)/$(VENV)/terraform/bin/python $(BIN)/pytest -n 2 -m terraform tests/terraform

lock: set-up ## Resolve and pin every dependency: [UPGRADE=1: to the latest versions]
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv
	$(LOCK) pyproject.toml --extra operator --extra lab --extra development --python-version 3.11 -o requirements/development.txt
	$(LOCK) requirements/engine.in --python-version 3.13 -c requirements/development.txt -o requirements/engine.txt
	$(LOCK) requirements/sam.in --python-version 3.11 -o requirements/sam.txt
	$(LOCK) --group documentation --python-version 3.11 -o requirements/documentation.txt
	$(LOCK) requirements/awscli.in --python-version 3.11 -o requirements/awscli.txt
	$(LOCK) requirements/release.in --python-version 3.11 -o requirements/release.txt
	$(LOCK) requirements/terraform.in --python-version 3.11 -o requirements/terraform.txt
	$(LOCK) requirements/plots.in --python-version 3.11 -o requirements/plots.txt

# Without headers and annotations: they would name the machine's paths and package index.
LOCK = $(BIN)/uv pip compile $(if $(UPGRADE),--upgrade) --quiet --universal --generate-hashes --no-header --no-annotate

clean: ## Remove what was built and cached
	rm -rf .build .aws-sam build dist src/*.egg-info .hypothesis .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .grimp_cache
	find benchmarks distribution src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv as well
	rm -rf $(VENV)

build-RingfenceFunction: # what `sam build` calls
	@$(FIND_PYTHON); "$$python" -m distribution.build_artefact "$(ARTIFACTS_DIR)"
