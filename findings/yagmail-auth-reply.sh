#!/usr/bin/env bash
# yagmail 0.16.0, sign-in with `oauth2_file`: what does a program get when the server refuses the token?
#
# Guess: smtplib's SMTPAuthenticationError with the server's 535.
# Seen:  yagmail writes AUTH XOAUTH2, does not look at the reply, and goes on with MAIL FROM. The program gets
#        SMTPSenderRefused with what the server says to that, which speaks of the sender; the 535 and its reason are lost.
#        Besides, the name in EHLO is the OAuth client id.
source "$(dirname "$0")/setup.sh"
python_packages yagmail==0.16.0
smtp_server 'EHLO=250-server.example\n250 AUTH XOAUTH2' 'AUTH=535 5.7.8 the token has expired' 'MAIL=530 5.7.0 sign in first'

cat >"$tmp/send.py" <<'PY'
import json
import sys

import yagmail
import yagmail.oauth2

folder, port = sys.argv[1], int(sys.argv[2])
stored = {
    "email_address": "ada@example.com",
    "google_client_id": "client-id",
    "google_client_secret": "client-secret",
    "google_refresh_token": "refresh-token",
}
with open(f"{folder}/oauth2.json", "w") as file:
    json.dump(stored, file)
# Nothing is asked of the real token endpoint.
yagmail.oauth2.call_refresh_token = lambda *_: {"access_token": "expired", "expires_in": 3599}
where = {"host": "127.0.0.1", "port": port, "smtp_ssl": False, "smtp_starttls": False}
try:
    yagmail.SMTP("ada@example.com", oauth2_file=f"{folder}/oauth2.json", **where).send("bob@example.com", "hello", "hello")
except Exception as error:
    print(type(error).__name__, error)
PY
"$python" "$tmp/send.py" "$tmp" "$port" >"$tmp/out"
cat "$heard" "$tmp/out"

expect "the token was refused" grep -q '^S: 535 5.7.8 the token has expired' "$heard"
expect "MAIL FROM came next" grep -qi '^C: mail FROM:<ada@example.com>' "$heard"
expect "the program gets SMTPSenderRefused" grep -q '^SMTPSenderRefused' "$tmp/out"
expect "the program does not get the 535" test "$(grep -c 'token has expired' "$tmp/out")" = 0
expect "EHLO names the client id" grep -qi '^C: ehlo client-id$' "$heard"
