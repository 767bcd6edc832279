#!/usr/bin/env bash
# The crate mail-send 0.7.0, `Credentials::new_oauth_from_token`: which text goes over the wire for OAUTHBEARER?
#
# Guess: RFC 7628's, which starts with a GS2 header: `n,,^Aauth=Bearer TOKEN^A^A`, perhaps with `a=`, host and port.
# Seen:  `auth=Bearer TOKEN^A^A`, without the header and the ^A behind it. RFC 7628 section 3.1 demands both. To a server's
#        error challenge (334) it answers with the same text again, where section 3.2.3 wants one ^A.
source "$(dirname "$0")/setup.sh"
rust_program 'mail-send = { version = "=0.7.0", default-features = false, features = ["ring"] }' \
    'tokio = { version = "1", features = ["rt", "macros", "net"] }' <<'RUST'
use mail_send::{Credentials, SmtpClientBuilder};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let port = std::env::args().nth(1).unwrap().parse().unwrap();
    let sign_in: Credentials<String> = Credentials::<String>::new_oauth_from_token("TOKEN".to_string());
    let client = SmtpClientBuilder::new("127.0.0.1".to_string(), port).unwrap().credentials(sign_in);
    match client.connect_plain().await {
        Ok(_) => println!("signed in"),
        Err(error) => println!("error: {error}"),
    }
}
RUST
challenge=$(printf '{"status":"invalid_token"}' | base64 -w0)
smtp_server 'EHLO=250-server.example\n250 AUTH OAUTHBEARER' "AUTH=334 $challenge" 'RESPONSE=535 5.7.8 the token has expired'
timeout 60 "$program" "$port" >"$tmp/out"
cat "$heard" "$tmp/out"
first=$(sed -n 's/^C: AUTH OAUTHBEARER //p' "$heard")
second=$(sed -n '/^S: 334/{n;s/^C: //p}' "$heard")
text=$(base64 -d <<<"$first" | tr '\1' '^')
echo "text: $text"

expect "the text has no GS2 header" test "$text" = 'auth=Bearer TOKEN^^'
expect "the answer to the error challenge is the token again" test "$second" = "$first" -a "$second" != 'AQ=='
