#!/usr/bin/env bash
# The crate mail-parser 0.11.9: are the octets of an attachment those that were sent?
#
# Guess: yes. contents() undoes base64 and quoted-printable, and nothing else.
# Seen:  not if its type is text/…: a CSV file in ISO-8859-1 comes out in UTF-8, longer than it was, while its Content-Type goes
#        on saying charset=iso-8859-1. As application/csv the same file keeps its octets. Who stores or passes on what
#        contents() gives with that Content-Type has changed the file.
source "$(dirname "$0")/setup.sh"
rust_program 'mail-parser = "=0.11.9"' <<'RUST'
use mail_parser::{MessageParser, MimeHeaders};

fn main() {
    for kind in ["text/csv", "application/csv"] {
        // "Grüße" in ISO-8859-1: 47 72 FC DF 65.
        let message = format!(
            "From: ada@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
             --b\r\nContent-Type: {kind}; charset=iso-8859-1\r\nContent-Disposition: attachment; filename=list.csv\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nR3L832U=\r\n--b--\r\n"
        );
        let parsed = MessageParser::default().parse(message.as_bytes()).unwrap();
        let attachment = parsed.attachments().next().unwrap();
        let charset = attachment.content_type().unwrap().attribute("charset").unwrap();
        println!("{kind} charset={charset}: {:02X?}", attachment.contents());
    }
}
RUST
"$program" | tee "$tmp/out"
expect "text/csv comes in UTF-8, under its old charset" grep -qxF 'text/csv charset=iso-8859-1: [47, 72, C3, BC, C3, 9F, 65]' "$tmp/out"
expect "application/csv keeps its octets" grep -qxF 'application/csv charset=iso-8859-1: [47, 72, FC, DF, 65]' "$tmp/out"
