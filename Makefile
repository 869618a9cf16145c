# The entry point. Every target first makes ready what it needs (`setup`), and prints what it runs.
#   STACK=name      which stack file, Pulumi.<name>.yaml (dev by default)
#   PYTHON3=path    the python3 that makes the environment (3.11 or newer)
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# A CI image may forbid bytecode; then every start of Python compiles pulumi_aws and moto anew (measured: an import of 4.8 s, not 2.1).
unexport PYTHONDONTWRITEBYTECODE
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

STACK ?= dev
PYTHON3 ?= python3

PYTHON := .venv/bin/python
SANDBOX := $(PYTHON) -m sandbox
PULUMI := $(SANDBOX) exec -- pulumi
QUICK := not sandbox and not machines
# Most tests wait (for boots, for EC2 to say twice that a host is gone), so more run than there are cores; each worker
# has a sandbox of its own, and files are taken in the order of tests/order.py.
WORKERS ?= 4
SIDE_BY_SIDE := -v -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Groups of system programs that a target needs (toolchain/system_packages.toml).
WITH :=
up preview faults: WITH := machines
test-fast lint golden: WITH := lint
test: WITH := lint,machines
pictures: WITH := machines,pictures

.PHONY: help setup up preview down leaks test faults test-fast lint golden bench pictures versions lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  %-10s %s\n", $$1, $$2}'

setup: ## Python environment, Pulumi engine, system programs; under a second when they are there
	@$(PYTHON3) -m toolchain setup --with "$(WITH)"

up: setup ## bring STACK up in the sandbox; again: an empty diff
	$(SANDBOX) up
	$(SANDBOX) repair --stack $(STACK)
	$(PULUMI) stack select --create $(STACK)
# Where no host boots, a gate that waits for a healthy cluster would wait in vain, and no Docker API takes the services.
	@if grep -q 'kind: eks' Pulumi.$(STACK).yaml; then \
	  $(PYTHON) -m sandbox.kubernetes build; \
	elif ! $(SANDBOX) status --json | $(PYTHON) -c 'import json, sys; sys.exit(not json.load(sys.stdin)["boots_hosts"])'; then \
	  echo "no hosts boot on this machine: in the sandbox's copy of the stack file the gate and monitoring are switched off"; \
	  $(PULUMI) config set --stack $(STACK) --path 'timonel:cluster.readiness.enabled' false; \
	  $(PULUMI) config set --stack $(STACK) --path 'timonel:monitoring.kind' none; \
	elif grep -q 'timonel:monitoring' Pulumi.$(STACK).yaml; then \
	  echo "container images for monitoring: made once, cAdvisor is compiled for a minute"; \
	  $(PYTHON) -m sandbox.machines.standins; \
	fi
	$(PULUMI) up --yes --skip-preview --stack $(STACK)

preview: setup ## what `make up` would change
	$(SANDBOX) up
	$(SANDBOX) repair --stack $(STACK)
	$(PULUMI) stack select --create $(STACK)
	$(PULUMI) preview --diff --stack $(STACK)

# Without a running sandbox there is nothing to destroy: its AWS is gone with its process.
down: setup ## destroy every stack of the sandbox, look for what was left, stop the sandbox
	@run() { echo "$$*"; "$$@"; }; \
	if $(SANDBOX) status >/dev/null; then \
	  stacks=$$($(PULUMI) stack ls --json | $(PYTHON) -c 'import json, sys; print(*(s["name"] for s in json.load(sys.stdin)))'); \
	  for stack in $$stacks; do \
	    run $(SANDBOX) repair --stack $$stack; \
	    run $(PULUMI) destroy --yes --stack $$stack; \
	  done; \
	  run $(SANDBOX) leaks; \
	fi; \
	run $(SANDBOX) down

leaks: setup ## what is still there in the sandbox's AWS; exit 1 when something was left behind
	$(SANDBOX) leaks

test: setup ## lint and every test; boots hosts where this machine can
# On a fresh machine each takes minutes, and no test shall have to wait for it: mypy computes while images download.
	$(MAKE) --no-print-directory -j2 lint images kubernetes
	$(PYTHON) -m pytest $(SIDE_BY_SIDE)

faults: export TIMONEL_TEST_RUN := $(shell date -u +%Y%m%d-%H%M%S)
faults: setup images ## every fault on booted hosts, with its seconds (an hour)
	$(PYTHON) -m pytest $(SIDE_BY_SIDE) -m machines tests/sandbox/agent tests/sandbox/monitoring
	$(PYTHON) -m pytest -m machines tests/sandbox/agent/test_grants.py

test-fast: setup ## tests without engine, sandbox and hosts
	$(PYTHON) -m pytest -n auto -m "$(QUICK)"

lint: setup ## ruff, types
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy

.PHONY: images
images: WITH := machines
images: setup ## what hosts boot from and pull, ahead of time (minutes, once per machine)
	@if $(PYTHON) -c 'import sys; from sandbox.machines import controller; sys.exit(controller.supported())'; then \
	  $(PYTHON) -m sandbox.machines.image; \
	  $(PYTHON) -m sandbox.machines.standins; \
	fi

.PHONY: kubernetes
kubernetes: setup ## the programs of the sandbox's EKS control planes, ahead of time (minutes, once per machine)
	@$(PYTHON) -m sandbox.kubernetes build

golden: setup ## write the golden files anew; read the diff before you commit it
	UPDATE_GOLDEN=1 $(PYTHON) -m pytest -q -m "$(QUICK)"
	git --no-pager diff --stat -- tests/golden

bench: setup ## measure previews, up and destroy against the empty program
	$(PYTHON) -m tests.bench

pictures: setup ## photograph Prometheus' pages on booted hosts for docs/monitoring.md (minutes)
	$(PYTHON) -m tests.pictures

versions: setup ## refresh the pinned images and versions (AWS credentials needed); read the diff before you commit it
	$(PYTHON) -m components.versions refresh
	git --no-pager diff --stat -- components

lock: ## resolve requirements.lock anew (UPGRADE=1: newest versions that the requirements allow)
	$(PYTHON3) -m toolchain lock $(if $(UPGRADE),--upgrade)

clean: ## remove the environment and the tools' caches; the shared cache and the sandbox stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .timonel/runs
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
