//! Envelopes from what a command line names. Addresses are core's to read: they are shown to it as the
//! headers of a message that is never sent.

use mailbearer::config::Spelling;
use mailbearer::{Envelope, Error, Message, Result};
use serde_json::Value;

/// The recipients in `mailboxes`, each of which may be a list with commas, as sendmail takes them.
pub(crate) fn recipients(mailboxes: &[String]) -> Result<Vec<String>> {
    if let Some(wrong) = mailboxes.iter().find(|text| text.chars().any(char::is_control)) {
        return Err(Error::invalid_message("to", format!("a recipient has control characters: {wrong:?}")));
    }
    let headers = format!("From: {NOBODY}\r\nTo: {}\r\n\r\n", mailboxes.join(",\r\n "));
    Ok(of_headers(headers.into_bytes())?.rcpt_to)
}

/// The envelope that the headers of a raw message stand for.
pub(crate) fn of_headers(mime: Vec<u8>) -> Result<Envelope> {
    let (value, _) = Message::raw(mime, None, None)?.to_json(Spelling::Snake);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let envelope = &value["envelope"];
    Ok(Envelope {
        mail_from: text(&envelope["mail_from"]),
        rcpt_to: envelope["rcpt_to"].as_array().into_iter().flatten().map(text).collect(),
    })
}

/// An address as `MAIL FROM` has it, with or without its angle brackets; `<>` is the null reverse-path.
pub(crate) fn reverse_path(text: &str) -> &str {
    text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text)
}

/// Stands where only the recipients matter.
const NOBODY: &str = "nobody@localhost.invalid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_reads_the_addresses() {
        let list = |texts: &[&str]| recipients(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            list(&["Ada <ada@x.org>", "bob@y.org, \"C, D\" <cd@z.org>", "ada@x.org"]).unwrap(),
            ["ada@x.org", "bob@y.org", "cd@z.org"]
        );
        for wrong in ["", "a@x.org\r\nBcc: b@x.org", "no address"] {
            assert!(list(&[wrong]).is_err(), "{wrong}");
        }
    }
}
