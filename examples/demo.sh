#!/usr/bin/env bash
# One message from each face. Run by `make demo`, inside `mailbearer emulator -- …`, which sets the
# environment: provider, mailbox, credentials, server.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}/debug
"$target/examples/send"
.venv/bin/python examples/send.py
node examples/send.mjs
mkdir -p build
cc -o build/demo-send examples/send.c -Iinclude "$target/libmailbearer_c.a" -lgcc_s -lutil -lrt -lpthread -lm -ldl
build/demo-send
"$target/mailbearer" send --to ada@example.com --subject "Hello from the shell" --text "Sent with a token, without a password."
