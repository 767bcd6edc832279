#!/usr/bin/env bash
# libsasl2-modules-kdexoauth2 22.12.3, Debian 12's XOAUTH2 for Cyrus SASL: does it serve a program that was not written for it?
#
# Guess: a program that signs in with PLAIN signs in with XOAUTH2, its token in the place of the password.
# Seen:  no. PLAIN gets the password from the program's callback for secrets; this plugin asks the same program for its token as
#        a simple value, and Cyrus SASL's own sample client refuses that with "invalid parameter supplied" (-7). Besides, the
#        plugin writes its progress to the terminal each time.
source "$(dirname "$0")/setup.sh"
debian_packages libsasl2-modules-kdexoauth2=22.12.3-1 sasl2-bin=2.1.28+dfsg-10+deb12u1 \
    libsasl2-modules=2.1.28+dfsg-10+deb12u1 libsasl2-2=2.1.28+dfsg-10+deb12u1
libraries=$(dirname "$(find "$root" -name 'libsasl2.so.2' | head -n1)")
command -v setsid >/dev/null || unavailable "setsid is not here"

# The sample client asks for a password on the terminal, and without one on standard input. It ends as that ends.
sign_in() {
    printf 'S: %s\nTOKEN\n' "$(printf %s "$1" | base64)" |
        SASL_PATH=$libraries/sasl2 LD_LIBRARY_PATH=$libraries setsid -w timeout 30 "$root/usr/bin/sasl-sample-client" \
            -m "$1" -s smtp -n localhost -a ada@example.com -u ada@example.com >"$tmp/$1" 2>&1 || true
    echo "== $1"
    cat "$tmp/$1"
}
sign_in PLAIN
sign_in XOAUTH2
expect "PLAIN gets the secret from the program" grep -q '^C: UExBSU4A' "$tmp/PLAIN"
expect "and completes" grep -q 'Negotiation complete' "$tmp/PLAIN"
expect "XOAUTH2 is found" grep -q 'Choosing best mechanism from: XOAUTH2' "$tmp/XOAUTH2"
expect "XOAUTH2 fails with an invalid parameter" grep -q 'SASL(-7): invalid parameter supplied' "$tmp/XOAUTH2"
expect "it never sends a response" test "$(grep -c '^C: ' "$tmp/XOAUTH2")" = 0
expect "it writes its progress to the terminal" grep -qF '[SASL-XOAUTH2] - Requesting token!' "$tmp/XOAUTH2"
