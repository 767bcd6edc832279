#!/usr/bin/env bash
# aiosmtpd 1.4.6, a server for tests and small services: how long may the line with a bearer token be?
#
# Guess: it takes 12,288 octets in answer to a 334, the least that RFC 4954 section 4 asks for; a command line ends at 512.
# Seen:  a handler adds XOAUTH2 and EHLO offers it, but the line in answer to 334 ends at 1,002 octets with its CRLF. The next
#        longer one, 1,006, is answered `500 Error: (ValueError) Separator is found, but chunk is longer than limit`: no 535, no
#        501, and nothing about a token. Tokens of Microsoft 365 are 1,500 to 3,000 octets long before base64.
source "$(dirname "$0")/setup.sh"
python_packages aiosmtpd==1.4.6

cat >"$tmp/lengths.py" <<'PY'
import base64
import socket

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Handler:
    async def auth_XOAUTH2(self, server, args):
        answer = args[1] if len(args) > 1 else await server.challenge_auth("")
        return AuthResult(success=isinstance(answer, (bytes, str)), handled=not isinstance(answer, (bytes, str)))


class Port(Controller):
    """Takes any free port and remembers it."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def reply(lines):
    line = lines.readline()
    while line[3:4] == b"-":
        print(line.decode().strip())
        line = lines.readline()
    return line.decode().strip()


def ask(octets):
    controller = Port(Handler(), hostname="127.0.0.1", port=0, auth_require_tls=False)
    controller.start()
    try:
        with socket.create_connection(("127.0.0.1", controller.port)) as connection:
            lines = connection.makefile("rwb")
            reply(lines)
            for command in (b"EHLO client.example\r\n", b"AUTH XOAUTH2\r\n"):
                lines.write(command)
                lines.flush()
                last = reply(lines)
            assert last.startswith("334"), last
            lines.write(base64.b64encode(b"x" * ((octets - 2) // 4 * 3)) + b"\r\n")
            lines.flush()
            print(octets, reply(lines))
    finally:
        controller.stop()


for octets in (998, 1002, 1006, 4002):
    ask(octets)
PY
"$python" "$tmp/lengths.py" 2>/dev/null >"$tmp/out"
cat "$tmp/out"
expect "EHLO offers XOAUTH2" grep -q '^250-AUTH .*XOAUTH2' "$tmp/out"
expect "998 octets in answer to 334 are taken" grep -q '^998 235 ' "$tmp/out"
expect "1,002 octets are taken" grep -q '^1002 235 ' "$tmp/out"
expect "1,006 octets are refused with 500" grep -q '^1006 500 Error: (ValueError) Separator is found, but chunk is longer than limit' "$tmp/out"
expect "4,002 octets are refused with 500" grep -q '^4002 500 ' "$tmp/out"
