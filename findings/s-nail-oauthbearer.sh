#!/usr/bin/env bash
# s-nail 14.9.24 (Debian 12): what goes over the wire with `smtp-auth=oauthbearer`?
#
# Guess: `AUTH OAUTHBEARER` and the text of RFC 7628, `n,a=ada@example.com,^Ahost=…^Aport=…^Aauth=Bearer TOKEN^A^A`.
# Seen:  `AUTH XOAUTH2` with Google's older text, `user=ada@example.com^Aauth=Bearer TOKEN^A^A`, in the command line itself,
#        also to a server whose EHLO offers OAUTHBEARER alone. `smtp-auth=xoauth2` is refused as unknown.
source "$(dirname "$0")/setup.sh"
debian_packages s-nail=14.9.24-2
certificate
smtp_server "TLS=$certificate" 'EHLO=250-server.example\n250 AUTH OAUTHBEARER' 'AUTH=504 5.5.4 unknown mechanism'

send() {
    echo hello | timeout 60 "$root/usr/bin/s-nail" -:/ -Sv15-compat -Snosave -Stls-ca-file="$certificate" -Stls-ca-no-defaults \
        -Ssmtp-auth="$1" -Ssmtp-config=-all,ehlo,"$1" -Smta="smtps://ada%40example.com:TOKEN@localhost:$port" \
        -Sfrom=ada@example.com -s hello bob@example.com
}
send oauthbearer || true
send xoauth2 2>"$tmp/xoauth2" || true
cat "$heard" "$tmp/xoauth2"
text=$(sed -n 's/^C: AUTH XOAUTH2 //p' "$heard" | base64 -d | tr '\1' '^')
echo "text: $text"

expect "EHLO offered OAUTHBEARER alone" grep -qx 'S: 250 AUTH OAUTHBEARER' "$heard"
expect "the command is AUTH XOAUTH2" grep -q '^C: AUTH XOAUTH2 ' "$heard"
expect "no AUTH OAUTHBEARER was sent" test "$(grep -c '^C: AUTH OAUTHBEARER' "$heard")" = 0
expect "the text is XOAUTH2's" test "$text" = 'user=ada@example.com^auth=Bearer TOKEN^^'
expect "smtp-auth=xoauth2 is unknown" grep -qi 'unsupported.*xoauth2' "$tmp/xoauth2"
