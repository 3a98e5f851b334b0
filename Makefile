# Sightline's front door. `make` alone prints this help; every target does its own set-up.

PYTHON ?= python3
VENV := .venv/bin
STAGES := $(VENV)/python scripts/stages.py
.DEFAULT_GOAL := help
.PHONY: help setup test-setup dev-setup run test unit realtime e2e interop network check format bench soak docs lock clean

##@ Use
help: ## this list
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with all that Sightline needs; leaves .venv/bin/sightline
	@$(PYTHON) scripts/bootstrap.py run

run: setup ## start the service and a camera, and print the address to open (ARGS="--lan" for the network)
	@exec $(VENV)/sightline demo $(ARGS)

##@ Test
test-setup: dev-setup ## what tests need on top: test tools, Node.js 20, npm packages, browsers
	@$(VENV)/python scripts/test_tools.py browsers

# The same without browsers, which may need root: enough for `check`, `unit`, `format`.
dev-setup:
	@$(PYTHON) scripts/bootstrap.py test
	@$(VENV)/python scripts/test_tools.py node

test: test-setup ## everything, in stages: check, unit, realtime, e2e, interop, network
	@$(STAGES) check unit realtime e2e interop network

check: dev-setup ## format, lint and types, of Python and of JavaScript
	@$(STAGES) check

unit: dev-setup ## the fast tests; at most 1 minute
	@$(STAGES) unit

realtime: dev-setup ## the same rooms with real sockets, threads and time, and fuzzing; at most 3 minutes
	@$(STAGES) realtime

e2e: test-setup ## the installed command and Chromium; at most 12 minutes
	@$(STAGES) e2e

interop: test-setup ## unmodified KVS clients and the seeds; at most 6 minutes
	@$(STAGES) interop

network: test-setup ## hosts in network namespaces; at most 10 minutes
	@$(STAGES) network

soak: test-setup ## long runs, not part of `make test`; at most an hour
	@$(STAGES) soak

##@ Work on it
format: dev-setup ## rewrite the code in the one format
	@$(VENV)/ruff format --quiet . && $(VENV)/ruff check --quiet --fix .

docs: ## check that every link in the documentation leads somewhere
	@$(PYTHON) scripts/check_links.py

bench: test-setup ## run benchmarks/ (BENCH=name for one); JSON goes to standard output
	@PATH="$(CURDIR)/$(VENV):$$PATH"; for script in $(or $(BENCH:%=benchmarks/%.py),$(sort $(wildcard benchmarks/[!_]*.py))); do \
	  echo "--- $$script ---" >&2; $(VENV)/python "$$script" || exit 1; done

lock: ## write requirements/*.lock anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(PYTHON) scripts/lock.py $(ARGS)

clean: ## remove .venv, node_modules and caches; your data stays
	@rm -rf .venv .cache build dist test-results tests/node_modules src/*.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
