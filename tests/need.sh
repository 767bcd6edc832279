#!/usr/bin/env bash
# Says what this machine lacks, all at once, and how to get it.
set -u
missing=0
lack() { echo "missing: $1. $2" >&2; missing=1; }
command -v cargo >/dev/null || lack "Rust 1.89 or newer (cargo)" "Install it with rustup, or your system's packages."
command -v cc >/dev/null || lack "a C compiler (cc)" "Debian and Ubuntu: apt-get install build-essential"
command -v python3 >/dev/null || lack "Python 3.10 or newer (python3)" "Debian and Ubuntu: apt-get install python3 python3-venv"
command -v node >/dev/null || lack "Node 20 or newer (node, npm)" "See your system's packages."
if command -v python3 >/dev/null; then
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || lack "Python 3.10 or newer" "This one is $(python3 --version)."
  python3 -c 'import ensurepip, venv' 2>/dev/null || lack "Python's venv module" "Debian and Ubuntu: apt-get install python3-venv"
fi
if command -v node >/dev/null; then
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || lack "Node 20 or newer" "This one is $(node --version)."
  command -v npm >/dev/null || lack "npm" "It comes with Node, or as a package of its own."
fi
exit $missing
