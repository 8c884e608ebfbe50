# Sets everything up by itself: a fresh machine needs only Python 3.11 or newer with pip, and make.
#
#   make demo     install the program and walk through it
#   make test     every check that a change must pass
#   make bench    measure, as ratios to bare loops
#   make clean    remove what these made
#
# Another Python: make test PYTHON=/path/to/python3

.SUFFIXES:
.NOTPARALLEL:
.PHONY: help demo test lint types unit driven bench clean

PYTHON ?= python3 python3.13 python3.12 python3.11
BIN = .venv/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
PROJECT = pyproject.toml guild_ledger/__init__.py

help:
	@sed -n 's/^#   make/make/p' Makefile

demo: .venv/installed
	$(BIN)/python examples/demo.py

# The quickest check first; pytest last, so that a run ends with its summary.
test: lint types unit

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/mypy --num-workers 2
	MYPYPATH=examples/iris $(BIN)/mypy examples/iris

# Each worker begins with half of the files, so that what the tests of a file share is made once, and takes from the
# other when it has done with them.
unit: .venv/installed-dev driven
	$(BIN)/python -m pytest -n 2 --dist worksteal

# What tests use, and pip does not have: a browser and a terminal, driven as a person would, and what else a small system
# may lack. Where it cannot be installed that is told, and the tests that need it say what is missing.
driven:
	@missing="$$(for name in bash ps tmux unshare; do command -v $$name >/dev/null || echo $$name; done; \
	    command -v chromium >/dev/null || command -v google-chrome >/dev/null || echo chromium)"; \
	[ -n "$$missing" ] || exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo 'installing for the tests:' $$missing; \
	    log="$$(mktemp)"; \
	    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
	      bash chromium procps tmux util-linux; \
	    } >"$$log" 2>&1 || { tail -n 20 "$$log" >&2; echo 'could not be installed:' $$missing >&2; }; \
	    rm -f "$$log"; \
	else \
	    echo 'missing here, the tests that need them are skipped:' $$missing >&2; \
	fi

bench: .venv/installed-dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: $(BIN)/python $(PROJECT)
	$(PIP) install --editable .
	@touch $@

.venv/installed-dev: $(BIN)/python $(PROJECT)
	$(PIP) install --editable '.[dev]'
	@touch $@ .venv/installed

# Candidates are tried by running them: a version manager's `python3.12` may be there and yet not work.
# Debian without python3-venv cannot put pip into a new environment, but its own pip can.
$(BIN)/python:
	@for candidate in $(PYTHON); do \
	    "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    echo "making .venv with $$candidate ($$("$$candidate" --version))"; \
	    rm -rf .venv; \
	    "$$candidate" -m venv .venv >/dev/null 2>&1 && exit; \
	    rm -rf .venv; \
	    "$$candidate" -m venv --without-pip .venv && \
	    "$$candidate" -m pip --quiet --disable-pip-version-check --python .venv/bin/python install pip && exit; \
	    rm -rf .venv; \
	    exit 1; \
	done; \
	echo 'Python 3.11 or newer is needed, found none among: $(PYTHON)' >&2; \
	echo 'Say where one is: make test PYTHON=/path/to/python3' >&2; \
	exit 1
