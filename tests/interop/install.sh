#!/usr/bin/env bash
# Installs the peers. What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")"
build=$(cd ../.. && pwd)/build/interop
mkdir -p "$build"

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  need=()
  command -v postfix >/dev/null || need+=(postfix)
  command -v dovecot >/dev/null || need+=(dovecot-core)
  command -v redis-server >/dev/null || need+=(redis-server)
  command -v tinyproxy >/dev/null || need+=(tinyproxy-bin)
  command -v microsocks >/dev/null || need+=(microsocks)
  command -v secret-tool >/dev/null || need+=(libsecret-tools)
  command -v gnome-keyring-daemon >/dev/null || need+=(gnome-keyring)
  command -v dbus-run-session >/dev/null || need+=(dbus)
  command -v chromium >/dev/null || need+=(chromium)
  ldconfig -p | grep -q libidn.so.12 || need+=(libidn12)
  if [ ${#need[@]} -gt 0 ] || [ ! -x "$build/exim/usr/sbin/exim4" ]; then apt-get update -q; fi
  if [ ${#need[@]} -gt 0 ]; then
    # Installing starts no daemon: the tests start their own, elsewhere.
    policy=/usr/sbin/policy-rc.d
    made=
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${need[@]}"
    [ -z "$made" ] || rm -f $policy
  fi
  # Exim cannot be installed beside Postfix: it is unpacked.
  if [ ! -x "$build/exim/usr/sbin/exim4" ]; then
    (cd "$build" && apt-get download -q exim4-daemon-light && dpkg -x exim4-daemon-light_*.deb exim && rm exim4-daemon-light_*.deb)
  fi
fi

test -x "$build/venv/bin/python" || python3 -m venv "$build/venv"
"$build/venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt
# Django 6.1 is written for Python 3.12; its mail runs on older ones too.
for version in 5.2 6.1; do
  folder=$build/django${version/./}
  test -d "$folder/django" || "$build/venv/bin/pip" install -q --disable-pip-version-check --target "$folder" \
    --ignore-requires-python "django==$version.*"
done
if [ ! -e "$build/node_modules/.done" ] || [ package.json -nt "$build/node_modules/.done" ]; then
  cp package.json "$build/package.json"
  (cd "$build" && npm install --silent --no-audit --no-fund --no-package-lock)
  touch "$build/node_modules/.done"
fi
