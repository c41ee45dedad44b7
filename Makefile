# `make play` shows what sockreel is about, `make lab` records it, `make test` checks all of it. All need Python 3.10 or
# newer, make and a package index, and keep what they install in .venv/ of this folder.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# Tests mostly wait: four files at a time, on a machine of two processors.
BESIDE := -n 4 --dist loadfile
# Tests of the recorder in which no core is chosen: nothing is recorded, or both cores are driven.
COREFREE := $(foreach name,servers clients crowd workload matching strace models cores_agree \
  collecting doctor interrupted known no_room_at_any_moment pace readiness senders spoilt_tapes streams sweep wrapping,--ignore=tests/test_recorder/test_$(name).py)
# One stamp per interpreter version: another PYTHON makes the environment anew.
RUNTIME := $(VENV)/.runtime-$(VERSION)
TOOLS := $(VENV)/.tools-$(VERSION)
# An environment whose interpreter has gone away (upgraded, moved) is made anew as well.
STALE := $(shell test -x $(BIN)/python || echo stale)

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help play lab claims test test-python-core quick bench judge judge-frameworks lint samples pictures docs clean stale system-tools

help: ## say what there is to make
	@echo "make TARGET [PYTHON=python3.12] [ARGS=...]"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1@\2/p' Makefile | awk -F@ '{ printf "%-17s %s\n", $$1, $$2 }'

play: $(RUNTIME) ## step through a blocking and a nonblocking server side by side (ARGS="--sample select --sample epoll_edge")
	@$(BIN)/sockreel play $(or $(ARGS),--sample blocking --sample nonblocking)

lab: $(RUNTIME) ## run the I/O models under the same clients and compare them (ARGS="--workload burst")
	@$(BIN)/sockreel lab $(ARGS)

claims: $(RUNTIME) ## judge what tutorials claim by runs made here and now, and write docs/claims.md
	@$(BIN)/sockreel claims --page docs/claims.md $(ARGS)

test: $(TOOLS) system-tools lint ## lint, check the types and run every test (ARGS="-k histogram")
	@$(BIN)/python -m pytest $(BESIDE) -m "not alone" $(ARGS)
	@echo "tests that want no other beside them"
	@$(BIN)/python -m pytest -m alone $(ARGS) || [ $$? -eq 5 ]
	@echo "the recorder's tests once more, with the Python core"
	@SOCKREEL_CORE=python $(BIN)/python -m pytest $(BESIDE) tests/test_recorder $(COREFREE) -m "not slow and not alone" $(ARGS) || [ $$? -eq 5 ]

test-python-core: $(TOOLS) system-tools ## run all tests with the Python core, not those of the recorder alone (ARGS="-k histogram")
	@SOCKREEL_CORE=python $(BIN)/python -m pytest $(BESIDE) -m "not alone" $(ARGS)

quick: $(TOOLS) ## run the tests that take no more than a few seconds each
	@$(BIN)/python -m pytest -m "not slow" $(ARGS)

lint: $(TOOLS) ## ruff and mypy --strict
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy -p sockreel

bench: $(RUNTIME) ## measure what recording costs, beside other tools, and write docs/measure.md (ARGS=--quick)
	@$(BIN)/python -m sockreel.tests.bench.run $(ARGS)

judge: $(RUNTIME) ## run CPython's own tests bare and recorded, compare each, and write docs/judges.md (ARGS="--only test_socket")
	@$(BIN)/python -m sockreel.tests.judges.cpython $(ARGS)

judge-frameworks: $(TOOLS) system-tools ## run real servers and clients bare and recorded, and write docs/frameworks.md
	@$(BIN)/python -m sockreel.tests.judges.frameworks

samples: $(RUNTIME) ## record the traces of traces/samples anew: as root, or where namespaces are allowed (ARGS="blocking io_uring-reset")
	@$(BIN)/python tools/samples.py $(ARGS)

pictures: $(RUNTIME) ## draw the pictures of README and docs/ anew from the samples, and what the lesson quotes
	@$(BIN)/python tools/pictures.py $(ARGS)
	@$(BIN)/python tools/excerpts.py $(ARGS)

docs: $(RUNTIME) ## write docs/trace-format.md anew from traces/schema.sql
	@$(BIN)/python tools/trace_format.py

clean: ## remove what was made: the environment, caches, built packages (traces stay)
	@rm -rf $(VENV) build dist *.egg-info recorder/tapes/_slots.*.so recorder/agent/_core.*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

system-tools:
	@$(BIN)/python tools/system_tools.py
	@$(BIN)/python tools/mermaid.py

$(RUNTIME): pyproject.toml setup.py recorder/tapes/_slots.c recorder/agent/_core.c $(wildcard recorder/agent/*.h) tools/environment.py $(STALE)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo 'sockreel needs Python 3.10 or newer; "$(PYTHON)" is $(if $(VERSION),Python $(VERSION),not there).' \
	    'Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	@"$(PYTHON)" tools/environment.py runtime
	@touch $@

$(TOOLS): $(RUNTIME)
	@$(BIN)/python tools/environment.py tools
	@touch $@

stale:
