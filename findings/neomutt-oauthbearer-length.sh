#!/usr/bin/env bash
# neomutt 20220429 (Debian 12), `smtp_authenticators`: how long may the token of the refresh command be?
#
# Guess: the same for both mechanisms, some thousand characters.
# Seen:  with oauthbearer, a token of 511 characters or more is never sent: "OAUTH token is too big: 768", then "No
#        authenticators available". The number is the size of a buffer, not of the token. With xoauth2 the same program sends
#        3,000 characters to the same server.
source "$(dirname "$0")/setup.sh"
debian_packages neomutt=20220429+dfsg1-4.1 libassuan0=2.5.5-5 libgmime-3.0-0=3.2.13+dfsg-2 libgpgme11=1.18.0-3+deb12u1 \
    libgsasl18=2.2.0-1+deb12u2 libgssglue1=0.7-1.1 liblua5.4-0=5.4.4-3+deb12u1 libnotmuch5=0.37-1+b1 libntlm0=1.6-4 \
    libsexp1=1.3.1+18~git20210718-1+b2 libtalloc2=2.4.0-f2 libtokyocabinet9=1.4.48-15 libxapian30=1.4.22-1
libraries=$(dirname "$(find "$root" -name 'libnotmuch.so.5')")

# send MECHANISM LENGTH: fails if neomutt does.
send() {
    smtp_server 'EHLO=250-server.example\n250 AUTH OAUTHBEARER XOAUTH2' 'AUTH=235 2.7.0 welcome'
    printf '#!/bin/sh\necho %s\n' "$(head -c "$2" /dev/zero | tr '\0' T)" >"$tmp/token"
    chmod +x "$tmp/token"
    printf 'set %s\n' "smtp_url=smtp://ada%40example.com@127.0.0.1:$port" "smtp_authenticators=$1" \
        "smtp_oauth_refresh_command=$tmp/token" ssl_starttls=no ssl_force_tls=no copy=no from=ada@example.com \
        hostname=client.example >"$tmp/neomuttrc"
    echo hello | HOME=$tmp TMPDIR=$tmp LD_LIBRARY_PATH=$libraries timeout 60 "$root/usr/bin/neomutt" -n -F "$tmp/neomuttrc" -s hello \
        bob@example.com >"$tmp/out" 2>&1
}
signed_in() { send "$@" && grep -qi "^C: AUTH $1 " "$heard" && grep -q '^C: DATA' "$heard"; }
too_big() { ! send "$@" && ! grep -q '^C: AUTH' "$heard" && cat "$tmp/out" && grep -q "OAUTH token is too big" "$tmp/out"; }

expect "oauthbearer sends 510 characters" signed_in oauthbearer 510
expect "oauthbearer refuses 511" too_big oauthbearer 511
cat "$tmp/out"
expect "it names 768, a size that the token does not have" grep -q 'too big: 768' "$tmp/out"
expect "and ends with 'No authenticators available'" grep -q 'No authenticators available' "$tmp/out"
expect "oauthbearer refuses 3,000" too_big oauthbearer 3000
expect "xoauth2 sends 3,000" signed_in xoauth2 3000
