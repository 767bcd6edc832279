#!/usr/bin/env bash
# chasquid 1.11 (Debian 12), which offers PIPELINING: may a command follow the final dot in the same write?
#
# Guess: yes. RFC 2920 section 3.1 lets the content come first in a group, and RSET anywhere in it.
# Seen:  MAIL, RCPT and DATA in one write get three replies, but what comes in one piece with the final dot is dropped: the
#        message is stored, RSET gets no reply, and the next command's reply is the next thing to come. A client that counts
#        replies is one behind from here on.
source "$(dirname "$0")/setup.sh"
debian_packages chasquid=1.11-2+b2
certificate

config=$tmp/chasquid
mkdir -p "$config/domains/example.com" "$config/certs/example.com" "$tmp/data"
cp "$tmp/key.pem" "$config/certs/example.com/privkey.pem"
openssl x509 -in "$certificate" -out "$config/certs/example.com/fullchain.pem"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$config/chasquid.conf" <<CONFIG
hostname: "example.com"
submission_address: "127.0.0.1:$port"
data_dir: "$tmp/data"
mail_log_path: "$tmp/mail.log"
mail_delivery_agent_bin: "/bin/true"
CONFIG
"$root/usr/bin/chasquid-util" "-C=$config" user-add ada@example.com --password=secret >/dev/null
"$root/usr/bin/chasquid" "-config_dir=$config" >"$tmp/log" 2>&1 &
servers+=($!)
timeout 30 bash -c "until (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; do sleep 0.1; done" || { cat "$tmp/log"; exit 2; }

cat >"$tmp/client.py" <<'PY'
import base64
import socket
import ssl
import sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)


def read():
    """One reply, octet by octet, so that nothing is read ahead and lost at a timeout."""
    reply = b""
    while True:
        line = b""
        while not line.endswith(b"\n"):
            octet = connection.recv(1)
            assert octet, "the connection was closed"
            line += octet
        reply += line
        if line[3:4] != b"-":
            return reply.decode().strip()


def say(text, replies=1):
    connection.sendall(text)
    for command in text.decode().splitlines()[:replies]:
        print("C:", command.split(" ")[0])
        print("S:", read())


print("S:", read())
say(b"EHLO client.example\r\n")
say(b"STARTTLS\r\n")
anything = ssl.create_default_context()
anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
connection = anything.wrap_socket(connection)
say(b"EHLO client.example\r\n")
say(b"AUTH PLAIN " + base64.b64encode(b"\0ada@example.com\0secret") + b"\r\n")
say(b"MAIL FROM:<ada@example.com>\r\nRCPT TO:<ada@example.com>\r\nDATA\r\n", 3)
print("C: message, final dot and RSET in one write")
connection.sendall(b"Subject: hello\r\n\r\nhello\r\n.\r\nRSET\r\n")
print("after the final dot:", read())
connection.settimeout(5)
try:
    print("after RSET:", read())
except TimeoutError:
    print("after RSET: nothing in 5 seconds")
connection.settimeout(30)
# A refusal now is the reply to this command; a 250 would be the late one to RSET.
connection.sendall(b"UNKNOWN\r\n")
print("after UNKNOWN:", read())
PY
python3 "$tmp/client.py" "$port" | tee "$tmp/out"

expect "EHLO offers PIPELINING" grep -q '^250-PIPELINING' "$tmp/out"
expect "the message is stored" grep -q '^after the final dot: 250 ' "$tmp/out"
expect "RSET behind the final dot gets no reply" grep -q '^after RSET: nothing' "$tmp/out"
expect "the next reply belongs to the next command" grep -q '^after UNKNOWN: 5' "$tmp/out"
