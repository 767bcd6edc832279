# Sourced by each script: a temporary folder that is removed at the end, pinned packages into it, and the verdict.
# Exit 0: the finding is still there. 1: the behaviour changed. 2: the packages could not be installed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tmp=$(mktemp -d)
servers=()
finish() {
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$tmp"
}
trap finish EXIT

unavailable() { echo "not run: $*" >&2; exit 2; }

python_packages() {
    { python3 -m venv "$tmp/venv" && "$tmp/venv/bin/pip" install -q --disable-pip-version-check "$@"; } \
        || unavailable "pip could not install $*"
    python=$tmp/venv/bin/python
}

node_packages() {
    (cd "$tmp" && echo '{"private":true}' >package.json && npm install --silent --no-audit --no-fund --ignore-scripts "$@") \
        || unavailable "npm could not install $*"
}

# The program of main.rs on standard input, with these lines of [dependencies]. Sets $program.
rust_program() {
    mkdir -p "$tmp/program/src"
    cat >"$tmp/program/src/main.rs"
    printf '%s\n' '[package]' 'name = "program"' 'version = "0.0.0"' 'edition = "2021"' '[dependencies]' "$@" '[workspace]' \
        >"$tmp/program/Cargo.toml"
    (cd "$tmp/program" && CARGO_TARGET_DIR=$tmp/target cargo build --quiet) || unavailable "cargo could not build with $*"
    program=$tmp/target/debug/program
}

# Debian packages, unpacked and not installed. Arguments: NAME=VERSION
debian_packages() {
    (cd "$tmp" && apt-get download -qq "$@" 2>&1) >"$tmp/apt.log" || unavailable "$(cat "$tmp/apt.log")"
    for package in "$tmp"/*.deb; do dpkg -x "$package" "$tmp/root"; done
    root=$tmp/root
}

# Start smtp_server.py with these arguments. Sets $port; what it hears goes to $heard.
smtp_server() {
    heard=$tmp/heard.$RANDOM$RANDOM
    mkfifo "$heard.port"
    python3 "$here/smtp_server.py" "$@" 3>"$heard.port" >"$heard" 2>&1 &
    servers+=($!)
    read -r port <"$heard.port"
}

# A certificate for localhost with its key, in $certificate.
certificate() {
    certificate=$tmp/localhost.pem
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$tmp/key.pem" -out "$certificate" 2>/dev/null
    cat "$tmp/key.pem" >>"$certificate"
}

# expect WHAT COMMAND…: the command must succeed.
expect() {
    local what=$1
    shift
    if "$@" >"$tmp/expect.log" 2>&1; then
        echo "as found: $what"
    else
        echo "CHANGED: not so any more: $what"
        cat "$tmp/expect.log"
        exit 1
    fi
}
