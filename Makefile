# The only two commands a fresh machine needs: `make demo` and `make test`.
# Everything is installed into this checkout: .venv, bindings-node/node_modules, target, build.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV   := .venv
PYTHON := $(VENV)/bin/python
CARGO  := cargo
NODE   := bindings-node
BUILD  := build
TARGET := $(or $(CARGO_TARGET_DIR),target)
PREFIX ?= /usr/local
SOAK   ?= 8500
SYSTEM_LIBS := -lgcc_s -lutil -lrt -lpthread -lm -ldl

# Cargo unites the features of the packages that one call names. Another choice of packages means other features, and compiles
# tokio, reqwest and core once more. So every call names the whole workspace, and picks targets (--lib, --test NAME) if it wants
# less. Development dependencies count as soon as a test or an example is among the targets; so one always is.
ALL     := --workspace --locked
LIBRARY := $(if $(filter Darwin,$(shell uname)),dylib,so)
# Lays a library where an interpreter looks for it, under a new inode: programs may run with the old one.
lay = @cmp -s $(1) $(2) || { cp $(1) $(2).new && mv $(2).new $(2); }

.PHONY: help demo site test check need built cli python node c header docs wheel conformance deny install clean snippets interop bench soak \
        test-rust test-python test-node test-c

help:  ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: cli python node c  ## sends one message from Rust, Python, Node, C and the shell, without an account
	@$(TARGET)/debug/mailbearer emulator -- examples/demo.sh

test: test-rust test-python test-node conformance snippets  ## every test, in every language

check: need $(VENV)/dev python node $(NODE)/node_modules/.done  ## what CI checks before the tests: format, lints, types, header, docs, licences
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings
	$(CARGO) test -q $(ALL) --test header
	$(PYTHON) -m mypy
	cd $(NODE) && npm run --silent types
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(ALL) --no-deps
	$(MAKE) site
	$(MAKE) deny

deny:  ## licences, bans and sources of every dependency
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check bans licenses sources; \
	elif test -x $(BUILD)/tools/bin/cargo-deny; then $(BUILD)/tools/bin/cargo-deny --locked check bans licenses sources; \
	else $(CARGO) install --quiet --locked cargo-deny --version 0.20.2 --root $(BUILD)/tools \
	  && $(BUILD)/tools/bin/cargo-deny --locked check bans licenses sources; fi
	@echo "advisories: not run here; run 'cargo deny check advisories' where the database can be reached"

need:  ## says plainly what is missing on this machine
	@tests/need.sh

# One call for all of them.
built: need
	$(CARGO) build $(ALL) --lib --bins --example send

cli: built  ## the command line

python: built $(VENV)/package  ## the Python package, installed into .venv
	$(call lay,$(TARGET)/debug/lib_native.$(LIBRARY),bindings-python/python/mailbearer/_native.abi3.so)

node: built  ## the Node package
	$(call lay,$(TARGET)/debug/libmailbearer_node.$(LIBRARY),$(NODE)/native.node)
	@echo "module.exports = require('./native.node')" >$(NODE)/native.cjs

c: built  ## the C library

header:  ## writes include/mailbearer.h anew
	MAILBEARER_WRITE_HEADER=1 $(CARGO) test -q $(ALL) --test header

docs:  ## writes docs/errors.md, events.md, options.md, reference/emulator.md, and the faces' words and option types anew
	MAILBEARER_WRITE_DOCS=1 $(CARGO) test -q $(ALL) --test generated_docs --test generated_options
	MAILBEARER_WRITE_DOCS=1 $(CARGO) test -q $(ALL) --lib the_reference_has_the_same_page

wheel: $(VENV)/bin/maturin  ## a release wheel in build/wheels
	$(VENV)/bin/maturin build --release --locked --out $(BUILD)/wheels

install:  ## the C library for other programs: PREFIX, DESTDIR
	$(CARGO) build --release --locked -p mailbearer-c
	PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) bindings-c/install.sh

test-rust: need  ## core, emulator, command line, and the C library
	$(CARGO) test -q $(ALL)

test-python: python $(VENV)/dev $(BUILD)/runtimes/done  ## the Python package
	$(PYTHON) -m pytest -q bindings-python/tests

test-node: node $(NODE)/node_modules/.done  ## the Node package
	cd $(NODE) && npm test --silent

test-c: need  ## the C library alone
	$(CARGO) test -q $(ALL) $(patsubst bindings-c/tests/%.rs,--test %,$(wildcard bindings-c/tests/*.rs))

conformance: cli python node c $(VENV)/dev $(BUILD)/conformance-c  ## one set of cases, in every face
	$(CARGO) build $(ALL) --examples
	CONFORMANCE_PYTHON=$(CURDIR)/$(PYTHON) $(PYTHON) -m pytest -q --import-mode=prepend tests/conformance

snippets: cli python node c $(BUILD)/recipes/done $(NODE)/node_modules/.done  ## every snippet of the documents, against the emulator
	$(PYTHON) -m pytest -q tests/snippets

site: $(BUILD)/site/venv/done cli python  ## the guide and the references as pages, in build/site/html
	$(TARGET)/debug/mailbearer --help > $(BUILD)/site/help.txt
	for command in login logout token send sendmail verify explain setup watch emulator; do \
	  printf '\n\n$$ mailbearer %s --help\n\n' $$command; $(TARGET)/debug/mailbearer $$command --help; done >> $(BUILD)/site/help.txt
	$(BUILD)/site/venv/bin/python -m sphinx -q -W --keep-going -b html docs $(BUILD)/site/html
	python3 tests/site/search.py $(BUILD)/site/html 5.7.139 5.7.3 AADSTS7000215
	@echo "see $(BUILD)/site/html/index.html"

$(BUILD)/site/venv/done: docs/requirements.txt
	python3 -m venv $(BUILD)/site/venv
	$(BUILD)/site/venv/bin/pip install -q --disable-pip-version-check -r docs/requirements.txt
	touch $@

interop: cli python node c $(BUILD)/conformance-c $(NODE)/node_modules/.done  ## through Postfix, Dovecot, Exim, smtp-server, MSAL and nodemailer
	tests/interop/install.sh
	$(CARGO) build $(ALL) --examples
	CONFORMANCE_PYTHON=$(CURDIR)/$(PYTHON) $(BUILD)/interop/venv/bin/python -m pytest -q -c tests/interop/pytest.ini tests/interop

soak: python node $(VENV)/dev  ## SOAK messages from Rust, Python and Node through a server that misbehaves at random
	$(CARGO) build $(ALL) --examples
	CONFORMANCE_PYTHON=$(CURDIR)/$(PYTHON) $(PYTHON) tests/soak/soak.py $(SOAK)

bench: $(VENV)/bin/maturin  ## speed and memory, with peers in the same run: docs/benchmarks.md
	benches/install.sh
	python3 benches/run.py

$(BUILD)/conformance-c: tests/conformance/shims/c.c include/mailbearer.h c
	mkdir -p $(BUILD)
	$(CC) -std=c99 -Wall -Wextra -Werror -o $@ $< -Iinclude $(TARGET)/debug/libmailbearer_c.a $(SYSTEM_LIBS)

$(PYTHON):
	python3 -m venv $(VENV)

$(VENV)/package: pyproject.toml Cargo.toml bindings-python/editable.py | $(PYTHON)
	$(PYTHON) bindings-python/editable.py
	touch $@

$(VENV)/dev: pyproject.toml | $(PYTHON)
	$(PYTHON) -m pip install -q --disable-pip-version-check pytest pytest-asyncio mypy aiosmtplib typing_extensions 'tomli; python_version < "3.11"'
	touch $@

$(VENV)/bin/maturin: pyproject.toml | $(PYTHON)
	$(PYTHON) -m pip install -q --disable-pip-version-check "maturin>=1.9.4,<2"
	touch $@

# Programs that patch or replace what Python's standard library does; apart, so that nothing else meets them.
$(BUILD)/runtimes/done: pyproject.toml
	test -x $(BUILD)/runtimes/venv/bin/python || python3 -m venv $(BUILD)/runtimes/venv
	$(BUILD)/runtimes/venv/bin/pip install -q --disable-pip-version-check "gevent>=24" "eventlet>=0.39" "gunicorn>=23" packaging "trio>=0.27" "celery>=5.4" "django>=5.2"
	touch $@

# What the recipes in docs/ are written for.
$(BUILD)/recipes/done: pyproject.toml $(VENV)/dev
	$(VENV)/bin/pip install -q --disable-pip-version-check "celery>=5.4" "fastapi>=0.115" "flask>=3" "httpx>=0.27"
	mkdir -p $(BUILD)/recipes
	cd $(BUILD)/recipes && npm install --silent --no-audit --no-fund --no-package-lock --prefix . express@5
	touch $@

$(NODE)/node_modules/.done: $(NODE)/package-lock.json
	cd $(NODE) && npm ci --silent --no-audit --no-fund
	touch $@

clean:  ## removes what was built here
	rm -rf $(BUILD) $(VENV) $(NODE)/node_modules $(TARGET)
