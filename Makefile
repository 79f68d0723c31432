# One command each; `make test` and `make demo` need nothing but Python 3.11+, pip and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The versions that all of this was seen to work with; `CONSTRAINTS=` takes the newest.
CONSTRAINTS ?= .ci/constraints.txt
INSTALL := $(PIP) install --quiet $(addprefix --constraint ,$(CONSTRAINTS)) --editable
# langchain-groq wants another groq than the tests, so these have a place of their own.
PARTNERS ?= .venv-partners
PARTNER_CONSTRAINTS ?= $(and $(CONSTRAINTS),.ci/constraints-partners.txt)
# Tests run in a process per core, up to four; `make test WORKERS=` runs them in one.
WORKERS ?= --numprocesses=auto --maxprocesses=4 --dist=worksteal
# The site is built in a place of its own.
DOCS ?= .venv-docs
# A part of the tests: `make test TESTS="tests/unit_tests/core -x"`.
TESTS ?=
# What the lower bounds are tested with: all but what is about the tools themselves.
OLDEST_TESTS ?= tests/unit_tests tests/behavior_tests tests/langchain_tests tests/integration_tests

.PHONY: help install demo test coverage lint types format format-check check record failover-bench bench soak \
	conformance partners docs compare limits notebooks newest oldest sdist lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

install: $(VENV)/.dev  ## Make .venv with all that the tests, notebooks and lint need

demo: $(VENV)/.demo  ## See failover live in the terminal, without keys or network
	@$(BIN)/langchain-reliable demo

test: $(VENV)/.dev  ## Run all tests: cassettes replayed, public sockets blocked
	$(BIN)/python -m pytest $(WORKERS) $(TESTS)

coverage: $(VENV)/.dev  ## The same, and which lines no test reaches (half as long again)
	$(BIN)/python -m pytest $(WORKERS) --cov --cov-report=term

lint: $(VENV)/.dev  ## Find what ruff finds
	$(BIN)/ruff check .

types: $(VENV)/.dev  ## Check types: ours, and what README, docs and notebooks write
	$(BIN)/mypy
	$(BIN)/python tests/typing_tests/check.py

format: $(VENV)/.dev  ## Format all code
	$(BIN)/ruff format .

format-check: $(VENV)/.dev  ## Say what `make format` would change
	$(BIN)/ruff format --check .

check: lint types format-check test  ## Everything that CI asks for

record: $(VENV)/.dev  ## Record the cassettes anew (cassettes/README.md says from what)
	$(BIN)/python -m pytest tests/cassette_tests/test_cassettes.py --record-mode=rewrite -q

failover-bench: $(VENV)/.dev  ## Sixteen faults in real time (2 minutes), beside the published rows
	$(BIN)/python tests/failover_bench/failover_bench.py

bench: $(VENV)/.dev  ## What it costs beside the bare model (`BENCH="--only import"`)
	$(BIN)/python -m benchmarks $(BENCH)

soak: $(VENV)/.dev  ## Minutes of every fault, breaks, leaks (`SOAK="--seed 2"`)
	$(BIN)/python -m benchmarks.soak $(SOAK)

conformance: $(VENV)/.dev  ## The partner packages' own suites with the model wrapped
	$(BIN)/python tests/conformance/run.py

partners: $(PARTNERS)/.done  ## Every partner class at the simulator; writes docs/partners.md
	$(PARTNERS)/bin/python -m pytest tests/partner_tests \
		tests/cassette_tests/test_partner_cassettes.py -q --partners-table=docs/partners.md

docs: $(DOCS)/.done  ## Build the documentation as a site: site/index.html
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --quiet

compare: $(VENV)/.dev .venv-litellm  ## The README's comparison, measured anew (two minutes)
	$(BIN)/python -m benchmarks.compare

limits: $(VENV)/.dev .venv-litellm  ## Limits under load beside LiteLLM (six minutes, in real time)
	$(BIN)/python -m benchmarks.limits

notebooks: $(VENV)/.dev  ## Execute the notebooks and keep their outputs
	$(BIN)/python notebooks/execute.py

newest:  ## The tests with the newest releases of everything, in a place of their own
	$(MAKE) test VENV=.venv-newest CONSTRAINTS=

oldest: .venv-oldest.txt  ## The tests with the oldest versions that pyproject.toml allows
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=$< TESTS="$(OLDEST_TESTS)"

sdist: .venv-sdist/.done  ## Build what would be published, into dist/, and try it
	rm -rf dist
	.venv-sdist/bin/python -m build --quiet
	.venv-sdist/bin/python .ci/check_dist.py

lock: newest  ## If those pass: make them the versions that are installed from now on
	.venv-newest/bin/python -m pip freeze --exclude-editable > .ci/constraints.txt

clean:  ## Remove the environment and caches
	rm -rf $(VENV) .venv-newest .venv-oldest* .venv-sdist .venv-litellm $(PARTNERS) $(DOCS) site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

.venv-oldest.txt: pyproject.toml .ci/oldest.py
	$(PYTHON) .ci/oldest.py > $@

.venv-sdist/.done:
	$(PYTHON) -m venv .venv-sdist
	.venv-sdist/bin/python -m pip --disable-pip-version-check install --quiet build
	touch $@

.venv-litellm:  ## LiteLLM's Router, for `make bench` to measure beside us
	$(PYTHON) -m venv $@
	$@/bin/python -m pip --disable-pip-version-check install --quiet litellm

$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml $(CONSTRAINTS)
	$(INSTALL) ".[demo]"
	touch $@

$(PARTNERS)/.done: pyproject.toml $(PARTNER_CONSTRAINTS)
	$(PYTHON) -m venv $(PARTNERS)
	$(PARTNERS)/bin/python -m pip --disable-pip-version-check install --quiet \
		$(addprefix --constraint ,$(PARTNER_CONSTRAINTS)) --editable ".[partners]"
	touch $@

$(DOCS)/.done: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip --disable-pip-version-check install --quiet \
		$(addprefix --constraint ,$(CONSTRAINTS)) --editable ".[docs]"
	touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml $(CONSTRAINTS)
	$(INSTALL) ".[dev]"
	touch $@ $(VENV)/.demo
