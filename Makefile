# The only two commands a fresh machine needs: `make demo` and `make test`.
# Everything is installed into this checkout: .venv, bindings-node/node_modules, target, build.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV   := .venv
PYTHON := $(VENV)/bin/python
CARGO  := cargo
BUILD  := build
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The faces that the conformance cases run through.
FACES  := rust cli
export MAILBEARER_TEST_PYTHON := $(CURDIR)/$(PYTHON)

.PHONY: help demo test check need docs conformance deny clean test-rust

help:  ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: need  ## sends one message against the emulator, without an account
	$(CARGO) run -q --locked -p mailbearer --example demo

test: test-rust conformance  ## every test

check: need $(VENV)/dev  ## what CI checks before the tests: format, lints, docs, licences
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps -p mailbearer -p mailbearer-emulator -p mailbearer-cli
	$(MAKE) deny

deny:  ## licences, bans and sources of every dependency
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check bans licenses sources; \
	elif test -x $(BUILD)/tools/bin/cargo-deny; then $(BUILD)/tools/bin/cargo-deny --locked check bans licenses sources; \
	else $(CARGO) install --quiet --locked cargo-deny --version 0.20.2 --root $(BUILD)/tools \
	  && $(BUILD)/tools/bin/cargo-deny --locked check bans licenses sources; fi
	@echo "advisories: not run here; run 'cargo deny check advisories' where the database can be reached"

need:  ## says plainly what is missing on this machine
	@tests/need.sh

docs:  ## writes docs/errors.md anew
	MAILBEARER_WRITE_DOCS=1 $(CARGO) test -q --locked -p mailbearer --test errors_doc

test-rust: need  ## core, emulator, command line
	$(CARGO) test -q --locked -p mailbearer -p mailbearer-emulator -p mailbearer-cli

conformance: need $(VENV)/dev  ## one set of cases, in every face
	$(CARGO) build --locked -p mailbearer -p mailbearer-emulator -p mailbearer-cli --examples --bins
	MAILBEARER_FACES="$(FACES)" $(PYTHON) -m pytest -q tests/conformance

$(VENV)/dev:
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check pytest 'tomli; python_version < "3.11"'
	touch $@

clean:  ## removes what was built here
	rm -rf $(BUILD) $(VENV) $(TARGET)
