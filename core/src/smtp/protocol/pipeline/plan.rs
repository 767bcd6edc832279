//! A message made ready for one server: its command lines, checked against what the server can do.

use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{GROUP, GROUP_OCTETS};
use crate::call::Partial;
use crate::error::{Error, ErrorCode, Result};
use crate::message::{Hold, Requests, xtext};
use crate::receipt::Envelope;
use crate::smtp::protocol::capabilities::Capabilities;
use crate::smtp::protocol::submission::Transaction;
use crate::text;

/// How a transaction's octets get to the pipeline.
#[derive(Clone, Debug)]
pub(crate) enum PlannedBody {
    /// The plan has all octets: CRLF line ends, not dot-stuffed.
    Whole(Bytes),
    /// They are [fed](crate::smtp::protocol::pipeline::Pipeline::feed) to it.
    Fed,
}

/// A transaction's MAIL (RFC 5321 §4.1.1.2), CRLF included, its recipients and its body.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) mail: String,
    /// Parameters of each RCPT, a space in front.
    rcpt: String,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) body: PlannedBody,
    pub(crate) partial: Partial,
}

impl Plan {
    /// Writes the lines.
    ///
    /// # Errors
    /// `message_too_large` over the server's SIZE, `capability_missing` where 8BITMIME or SMTPUTF8 is
    /// needed and not offered, `message_invalid` for an empty message and for an address that would
    /// break out of its command.
    pub(crate) fn new(transaction: &Transaction, server: &Capabilities) -> Result<Self> {
        let envelope = &transaction.envelope;
        if envelope.rcpt_to.is_empty() {
            return Err(Error::invalid_message("to", "the message has no recipient"));
        }
        let body = match transaction.body.in_memory() {
            Some(octets) if octets.is_empty() => {
                return Err(Error::new(ErrorCode::MessageInvalid, "the message is empty"));
            }
            Some(octets) => PlannedBody::Whole(octets.clone()),
            None => PlannedBody::Fed,
        };
        let addresses = || std::iter::once(&envelope.mail_from).chain(&envelope.rcpt_to);
        if let Some(bad) = addresses().find(|a| a.bytes().any(|b| b.is_ascii_control() || b"<>".contains(&b)))
        {
            let shown = text::shown(bad, 80);
            return Err(Error::invalid_message("envelope", format!("`{shown}` cannot stand in an envelope")));
        }
        let size = match &body {
            PlannedBody::Whole(octets) => Some(size(octets)),
            PlannedBody::Fed => transaction.body.size(),
        };
        let least = size.unwrap_or_else(|| transaction.body.least_size());
        if let Some(Some(limit)) = server.size
            && least > limit
        {
            let more = if size.is_none() { "at least " } else { "" };
            return Err(too_large(&format!("has {more}{least} octets"), limit));
        }
        let mut mail = format!("MAIL FROM:<{}>", envelope.mail_from);
        if let (Some(size), Some(_)) = (size, server.size) {
            mail.push_str(&format!(" SIZE={size}"));
        }
        let smtputf8 = transaction.smtputf8 || !addresses().all(|a| a.is_ascii());
        // Which comes first is a matter of the sentence: 8-bit headers are there because of an address.
        if smtputf8 {
            let why = match (addresses().all(|a| a.is_ascii()), transaction.body.wide_header()) {
                (true, Some(name)) => format!("the header {name} is not ASCII"),
                _ => "an address is not ASCII".to_owned(),
            };
            offered(server.smtputf8, "SMTPUTF8", &why)?;
        }
        if transaction.eight_bit {
            offered(server.eight_bit_mime, "8BITMIME", "the message has 8-bit text")?;
            mail.push_str(" BODY=8BITMIME");
        }
        if smtputf8 {
            mail.push_str(" SMTPUTF8");
        }
        let rcpt = asked_for(&transaction.requests, server, &mut mail)?;
        mail.push_str("\r\n");
        Ok(Self { mail, rcpt, envelope: envelope.clone(), body, partial: transaction.partial })
    }

    /// RCPT for the `at`th recipient.
    pub(super) fn write_recipient(&self, at: usize, out: &mut Vec<u8>) {
        for part in ["RCPT TO:<", &self.envelope.rcpt_to[at], ">", &self.rcpt] {
            out.extend_from_slice(part.as_bytes());
        }
        // Who the report is about; RFC 6533 has another form for addresses that are not ASCII.
        if !self.rcpt.is_empty() && self.envelope.rcpt_to[at].is_ascii() {
            out.extend_from_slice(b" ORCPT=rfc822;");
            out.extend_from_slice(xtext(&self.envelope.rcpt_to[at]).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// `body`, this one's, as the last chunk (RFC 3030 §2); a last line without an end is given it.
    pub(super) fn write_chunk(body: &[u8], out: &mut Vec<u8>) {
        let end: &[u8] = if body.ends_with(b"\r\n") { b"" } else { b"\r\n" };
        out.extend_from_slice(format!("BDAT {} LAST\r\n", body.len() + end.len()).as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(end);
    }

    /// Of its body.
    pub(super) fn octets_in_memory(&self) -> u64 {
        match &self.body {
            PlannedBody::Whole(octets) => octets.len() as u64,
            PlannedBody::Fed => 0,
        }
    }

    /// All its recipients go in one write.
    pub(super) fn fits_one_group(&self) -> bool {
        let asked = if self.rcpt.is_empty() { 0 } else { self.rcpt.len() + 300 };
        let octets: usize = self.envelope.rcpt_to.iter().map(|to| to.len() + 12 + asked).sum();
        self.envelope.rcpt_to.len() <= GROUP && octets <= GROUP_OCTETS
    }
}

/// Writes what the message asks for into MAIL; what stands behind each RCPT comes back.
fn asked_for(requests: &Requests, server: &Capabilities, mail: &mut String) -> Result<String> {
    let mut rcpt = String::new();
    if let Some(dsn) = &requests.dsn {
        offered(server.dsn, "DSN", "delivery reports are asked for")?;
        if let Some(full) = dsn.full {
            mail.push_str(if full { " RET=FULL" } else { " RET=HDRS" });
        }
        if let Some(id) = &dsn.envelope_id {
            mail.push_str(&format!(" ENVID={}", xtext(id)));
        }
        if !dsn.notify.is_empty() {
            rcpt = format!(" NOTIFY={}", dsn.notify.join(",").to_ascii_uppercase());
        }
    }
    if requests.require_tls {
        offered(server.require_tls, "REQUIRETLS", "TLS is required on the whole way")?;
        mail.push_str(" REQUIRETLS");
    }
    if let Some(hold) = requests.hold {
        offered(server.future_release.is_some(), "FUTURERELEASE", "the message is to be held")?;
        let (seconds, parameter) = match hold {
            Hold::For(time) => (time.as_secs(), format!(" HOLDFOR={}", time.as_secs())),
            Hold::Until(at) => {
                let left = (at - OffsetDateTime::now_utc()).whole_seconds();
                let seconds = u64::try_from(left).map_err(|_| {
                    Error::invalid_message(
                        "hold_until",
                        "the hour until which the message is to be held has passed",
                    )
                })?;
                (seconds, format!(" HOLDUNTIL={}", at.format(&Rfc3339).unwrap_or_default()))
            }
        };
        if let Some(Some(longest)) = server.future_release
            && seconds > longest
        {
            let text = format!(
                "the message is to be held for {seconds} s, the server holds for at most {longest} s"
            );
            return Err(Error::invalid_message("hold_for", text));
        }
        mail.push_str(&parameter);
    }
    Ok(rcpt)
}

/// The message, which `what`, is over the server's limit.
pub(crate) fn too_large(what: &str, limit: u64) -> Error {
    Error::new(ErrorCode::MessageTooLarge, format!("the message {what}, the server takes {limit}"))
}

/// Octets as RFC 1870 §3 counts them: with the last line's end, without stuffed dots.
fn size(body: &[u8]) -> u64 {
    let end = if body.is_empty() || body.ends_with(b"\r\n") { 0 } else { 2 };
    body.len() as u64 + end
}

fn offered(is: bool, extension: &str, why: &str) -> Result<()> {
    if is {
        return Ok(());
    }
    Err(Error::new(ErrorCode::CapabilityMissing, format!("{why}, and the server does not offer {extension}"))
        .with_hint(match extension {
            "8BITMIME" => {
                "Encode the text as quoted-printable or base64, or let mailbearer build the message."
            }
            "DSN" => "Leave `dsn` out for this server. (Gmail sends no delivery reports.)",
            "REQUIRETLS" => "Leave `require_tls` out for this server, if the message may go on without TLS.",
            "FUTURERELEASE" => "Send the message later: this server cannot hold it.",
            _ => "For this server, use ASCII addresses, and write names in headers as encoded words (RFC 2047).",
        }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Fallback;

    fn transaction(from: &str, to: &[&str], body: &'static [u8]) -> Transaction {
        Transaction {
            envelope: Arc::new(Envelope {
                mail_from: from.to_owned(),
                rcpt_to: to.iter().map(|&a| a.to_owned()).collect(),
            }),
            body: Bytes::from_static(body).into(),
            smtputf8: false,
            eight_bit: false,
            fallback: None,
            partial: Partial::Deliver,
            requests: Requests::default(),
        }
    }

    #[test]
    fn what_is_asked_for_stands_behind_the_addresses() {
        let all = Capabilities {
            dsn: true,
            require_tls: true,
            future_release: Some(Some(86_400)),
            ..Capabilities::default()
        };
        let ask = |fields: serde_json::Value| {
            let mut fields = fields;
            fields["from"] = "a@x.org".into();
            fields["to"] = serde_json::json!(["b+c@x.org", "ü@x.org"]);
            let message =
                crate::Message::from_json(fields, Vec::new(), crate::input::Spelling::Snake).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let defaults = crate::message::Defaults {
                from: None,
                files: &crate::config::FilePolicy::Deny,
                spelling: crate::input::Spelling::Snake,
            };
            let requests = runtime.block_on(message.render(defaults)).unwrap().requests;
            Transaction { requests, ..transaction("a@x.org", &["b+c@x.org", "b@x.org"], b"hi") }
        };
        let asks = serde_json::json!({
            "dsn": {"notify": ["success", "failure"], "return": "headers", "envelope_id": "job 7"},
            "require_tls": true, "hold_for": "2h"
        });
        let plan = Plan::new(&ask(asks), &all).unwrap();
        let mail = "MAIL FROM:<a@x.org> RET=HDRS ENVID=job+207 REQUIRETLS HOLDFOR=7200\r\n";
        assert_eq!(plan.mail, mail);
        let mut out = Vec::new();
        plan.write_recipient(0, &mut out);
        let rcpt = "RCPT TO:<b+c@x.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bc@x.org\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), rcpt);
        let until = ask(serde_json::json!({"hold_until": "2099-01-01T00:00:00Z"}));
        let error = Plan::new(&until, &all).unwrap_err();
        assert_eq!((error.code(), error.field()), (ErrorCode::MessageInvalid, Some("hold_for")));
        let unbound = Capabilities { future_release: Some(None), ..all.clone() };
        assert!(Plan::new(&until, &unbound).unwrap().mail.ends_with(" HOLDUNTIL=2099-01-01T00:00:00Z\r\n"));
        let past = ask(serde_json::json!({"hold_until": "2020-01-01T00:00:00Z"}));
        assert_eq!(Plan::new(&past, &all).unwrap_err().code(), ErrorCode::MessageInvalid);
        for fields in [
            serde_json::json!({"dsn": {"notify": "never"}}),
            serde_json::json!({"require_tls": true}),
            serde_json::json!({"hold_for": "1h"}),
        ] {
            let error = Plan::new(&ask(fields), &Capabilities::default()).unwrap_err();
            assert_eq!((error.code(), error.retryable()), (ErrorCode::CapabilityMissing, false));
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn the_mail_line_says_what_the_server_asked_for() {
        let all = Capabilities {
            size: Some(Some(100)),
            eight_bit_mime: true,
            smtputf8: true,
            ..Capabilities::default()
        };
        let plain = transaction("a@x", &["b@x"], b"hi");
        let mail = |t: &Transaction, c: &Capabilities| Plan::new(t, c).map(|p| p.mail);
        assert_eq!(mail(&plain, &Capabilities::default()).unwrap(), "MAIL FROM:<a@x>\r\n");
        assert_eq!(mail(&plain, &all).unwrap(), "MAIL FROM:<a@x> SIZE=4\r\n");
        assert_eq!(mail(&transaction("", &["b@x"], b"\r\n"), &all).unwrap(), "MAIL FROM:<> SIZE=2\r\n");
        let wide = Transaction { eight_bit: true, ..transaction("ä@x", &["b@x"], b"\xff\r\n") };
        assert_eq!(mail(&wide, &all).unwrap(), "MAIL FROM:<ä@x> SIZE=3 BODY=8BITMIME SMTPUTF8\r\n");
        let mut out = Vec::new();
        let plan = Plan::new(&plain, &all).unwrap();
        plan.write_recipient(0, &mut out);
        Plan::write_chunk(b"hi", &mut out);
        assert_eq!(out, b"RCPT TO:<b@x>\r\nBDAT 4 LAST\r\nhi\r\n");
    }

    #[test]
    fn a_server_that_lacks_something_gets_what_can_do_without() {
        let all = Capabilities {
            size: Some(Some(100)),
            eight_bit_mime: true,
            smtputf8: true,
            ..Capabilities::default()
        };
        let none = Capabilities::default();
        let mail = |t: &Transaction, c: &Capabilities| Plan::new(t, c).map(|p| p.mail);
        let other = Fallback { content: Bytes::from_static(b"other\r\n").into(), eight_bit: false };
        let mut wide = Transaction {
            smtputf8: true,
            eight_bit: true,
            fallback: Some(other),
            ..transaction("a@x", &["b@x"], b"\xff\r\n")
        };
        let mut kept = wide.clone();
        kept.fit(&all);
        assert_eq!(mail(&kept, &all).unwrap(), "MAIL FROM:<a@x> SIZE=3 BODY=8BITMIME SMTPUTF8\r\n");
        wide.fit(&none);
        assert_eq!(mail(&wide, &none).unwrap(), "MAIL FROM:<a@x>\r\n");
        assert_eq!(wide.body.in_memory().unwrap(), "other\r\n");
        let named = Transaction {
            smtputf8: true,
            ..transaction("a@x", &["b@x"], "X: y\r\nReply-To: Ü <c@x>\r\n\r\n".as_bytes())
        };
        assert!(mail(&named, &none).unwrap_err().message().contains("the header Reply-To is not ASCII"));
    }

    #[test]
    fn what_the_server_cannot_take_is_refused_ahead() {
        let none = Capabilities::default();
        let small = Capabilities { size: Some(Some(3)), ..Capabilities::default() };
        let eight = Transaction { eight_bit: true, ..transaction("a@x", &["b@x"], b"x") };
        let table = [
            (Plan::new(&eight, &none), ErrorCode::CapabilityMissing),
            (Plan::new(&transaction("a@x", &["ü@x"], b"x"), &none), ErrorCode::CapabilityMissing),
            (Plan::new(&transaction("a@x", &["b@x"], b""), &none), ErrorCode::MessageInvalid),
            (Plan::new(&transaction("a@x", &["b@x"], b"hi"), &small), ErrorCode::MessageTooLarge),
            (Plan::new(&transaction("a@x", &[], b"hi"), &none), ErrorCode::MessageInvalid),
            (Plan::new(&transaction("a@x>\r\nDATA", &["b@x"], b"x"), &none), ErrorCode::MessageInvalid),
            (Plan::new(&transaction("a@x", &["b@x> NOTIFY=NEVER"], b"x"), &none), ErrorCode::MessageInvalid),
        ];
        for (result, code) in table {
            let error = result.unwrap_err();
            assert_eq!((error.code(), error.retryable()), (code, false));
        }
    }
}
