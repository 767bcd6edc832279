#!/usr/bin/env bash
# Builds what the benches need: release faces and the peers, all below build/bench.
set -euo pipefail
cd "$(dirname "$0")/.."
bench=$PWD/build/bench
mkdir -p "$bench/node"
(cd benches && cargo build --release --locked)
cargo build --workspace --locked --examples
.venv/bin/maturin build --quiet --release --locked --out "$bench/wheels"
test -x "$bench/venv/bin/python" || python3 -m venv "$bench/venv"
"$bench/venv/bin/pip" install -q --disable-pip-version-check aiosmtplib pycurl 'msal>=1.39,<2'
"$bench/venv/bin/pip" install -q --disable-pip-version-check --force-reinstall --no-deps "$bench"/wheels/*.whl
cargo build --release --locked -p mailbearer-node
cp -r bindings-node/lib bindings-node/index.cjs bindings-node/package.json "$bench/node/"
cp target/release/libmailbearer_node.so "$bench/node/native.node"
echo "module.exports = require('./native.node')" >"$bench/node/native.cjs"
if [ ! -e "$bench/node_modules/.done" ]; then
  (cd "$bench" && npm install --silent --no-audit --no-fund --no-package-lock --no-save nodemailer@10)
  touch "$bench/node_modules/.done"
fi
