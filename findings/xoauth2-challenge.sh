#!/usr/bin/env bash
# lettre 0.11.23 (Rust) and emailjs 5.0.3 (Node): what does a program learn when the server refuses its token by XOAUTH2's error
# challenge, as Gmail does (334 and JSON in base64, an empty line from the client, then 535 with the reason)?
#
# Guess: both send the empty line and report the 535; or one reports the JSON.
# Seen:  neither sends the empty line, so that the 535 never comes. lettre reports an error of the client ("This mechanism does
#        not expect a challenge") that is_permanent() denies and that has no status; emailjs repeats the challenge undecoded.
source "$(dirname "$0")/setup.sh"
node_packages emailjs@5.0.3
rust_program 'lettre = { version = "=0.11.23", default-features = false, features = ["smtp-transport", "builder"] }' <<'RUST'
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::{Message, SmtpTransport, Transport};

fn main() {
    let port = std::env::args().nth(1).unwrap().parse().unwrap();
    let transport = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(port)
        .credentials(Credentials::new("ada@example.com".into(), "expired".into()))
        .authentication(vec![Mechanism::Xoauth2])
        .build();
    let message = Message::builder()
        .from("ada@example.com".parse().unwrap())
        .to("bob@example.com".parse().unwrap())
        .body(String::from("hello"))
        .unwrap();
    let error = transport.send(&message).unwrap_err();
    println!("{error} | status {:?} permanent {} client {}", error.status(), error.is_permanent(), error.is_client());
}
RUST
cat >"$tmp/send.mjs" <<'JS'
import { SMTPClient } from "emailjs";

const port = Number(process.argv[2]);
const user = { user: "ada@example.com", password: "expired", authentication: ["XOAUTH2"] };
const client = new SMTPClient({ host: "127.0.0.1", port, ssl: false, tls: false, timeout: 30000, ...user });
const message = { from: "ada@example.com", to: "bob@example.com", subject: "hello", text: "hello" };
await client.sendAsync(message).then(() => console.log("sent"), (error) => console.log(error.message));
process.exit(0);
JS
challenge=$(printf '{"status":"400","schemes":"Bearer","scope":"https://mail.example.com/"}' | base64 -w0)
replies=('EHLO=250-server.example\n250 AUTH XOAUTH2' "AUTH=334 $challenge" 'RESPONSE=535 5.7.8 the token has expired')

check() {
    cat "$heard" "$tmp/out"
    expect "$1 got the challenge" grep -q '^S: 334 ' "$heard"
    expect "$1 sends no empty line" test "$(grep -c '^C: $' "$heard")" = 0
    expect "$1 never sees the 535" test "$(cat "$heard" "$tmp/out" | grep -c 'has expired')" = 0
}

smtp_server "${replies[@]}"
timeout 60 "$program" "$port" >"$tmp/out"
check lettre
expect "lettre reports a fault of the client, without a status" \
    grep -q 'does not expect a challenge | status None permanent false client true' "$tmp/out"

smtp_server "${replies[@]}"
(cd "$tmp" && timeout 60 node send.mjs "$port") >"$tmp/out"
check emailjs
expect "emailjs repeats the challenge undecoded" grep -qF "$challenge" "$tmp/out"
