#!/usr/bin/env bash
# nullmailer 2.2 (Debian 12), `smtp`: which refusals are for good?
#
# Guess: a refused sign-in (535) fails the message for good, as any 5xx; one unknown recipient of two costs that recipient only.
# Seen:  the other way round. After 535 the exit code is temporary (below 32), so that the queue tries again until the message
#        is a week old (queuelifetime in nullmailer-send(8)). After one 550 of two RCPT the whole message fails for good (32 and
#        more): no DATA is sent, and the recipient whom the server took gets nothing.
source "$(dirname "$0")/setup.sh"
debian_packages nullmailer=1:2.2-4

# A message of nullmailer's queue: sender, recipients, an empty line, the message.
printf '%s\n' ada@example.com bob@example.com nobody@example.com '' 'Subject: hello' '' hello >"$tmp/queued"
send() {
    local code=0
    printf '%s\n' host=127.0.0.1 "port=$port" "$@" '' |
        HELOHOST=client.example timeout 60 "$root/usr/lib/nullmailer/smtp" 3<"$tmp/queued" >/dev/null 2>&1 || code=$?
    cat "$heard"
    echo "exit code $code"
    exited=$code
}

smtp_server 'EHLO=250-server.example\n250 AUTH PLAIN' 'AUTH=535 5.7.8 no such user'
send user=ada pass=secret
expect "AUTH was refused with 535" grep -q '^S: 535 ' "$heard"
expect "the exit code after 535 is temporary" test "$exited" -gt 0 -a "$exited" -lt 32

smtp_server 'RCPT=250 2.1.5 ok' 'RCPT=550 5.1.1 no such user'
send
expect "the server took one recipient" grep -q '^S: 250 2.1.5 ok' "$heard"
expect "no DATA was sent" test "$(grep -c '^C: DATA' "$heard")" = 0
expect "the exit code after 550 to one of two is permanent" test "$exited" -ge 32 -a "$exited" -lt 64
