//! Delivery reports (RFC 3464): whom they are about, and what the last server said.

use super::explanation::Explanation;
use super::replies;
use crate::text::one_line;

/// Explains each recipient of a report; nothing for a text that is none.
pub(super) fn explain(text: &str) -> Vec<Explanation> {
    let mut out = Vec::new();
    let mut group = Group::default();
    for (name, value) in fields(text) {
        match name.as_str() {
            "final-recipient" => {
                out.extend(std::mem::take(&mut group).explained());
                group.recipient = Some(after_type(&value).to_owned());
            }
            "original-recipient" if group.recipient.is_none() => {
                group.recipient = Some(after_type(&value).to_owned());
            }
            "status" if group.status.is_none() => group.status = Some(value),
            "action" => group.action = value.to_ascii_lowercase(),
            "diagnostic-code" => group.diagnostic = Some(after_type(&value).to_owned()),
            _ => {}
        }
    }
    out.extend(group.explained());
    out
}

#[derive(Default)]
struct Group {
    recipient: Option<String>,
    status: Option<String>,
    action: String,
    diagnostic: Option<String>,
}

impl Group {
    fn explained(self) -> Option<Explanation> {
        if self.recipient.is_none() && self.diagnostic.is_none()
            || ["delivered", "relayed", "expanded"].contains(&self.action.as_str())
        {
            return None;
        }
        let said = self.diagnostic.as_deref().and_then(replies::read);
        let reply = match (said, &self.status) {
            (Some(reply), _) => reply,
            (None, Some(status)) => {
                let status = status.split_whitespace().next().unwrap_or_default();
                if !status.starts_with(['4', '5']) {
                    return None;
                }
                replies::of_status(status, self.diagnostic.as_deref().unwrap_or_default())
            }
            (None, None) => return None,
        };
        let mut out = replies::of_reply(replies::guess(&reply), &reply);
        out.recipient = self.recipient.map(|address| one_line(&address, 320));
        if self.action == "delayed" {
            out.cure =
                Some("The server goes on trying: do nothing, or look at the recipient's server.".to_owned());
        } else if out.retryable
            && self.action == "failed"
            && out.code.is_some_and(replies::is_about_recipient)
        {
            // It was tried until the server gave up.
            out.retryable = false;
        }
        Some(out)
    }
}

/// `rfc822; ada@example.com` and `smtp; 550 …`.
fn after_type(value: &str) -> &str {
    value.split_once(';').map_or(value, |(_, rest)| rest).trim()
}

/// The fields of a report, unfolded, whatever stands around them.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = out.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        match line.trim_start_matches(['>', ' ']).split_once(':') {
            Some((name, value)) if KNOWN.iter().any(|known| name.trim().eq_ignore_ascii_case(known)) => {
                out.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            // Else the line goes with no field, so that its folds do not either.
            _ => out.push((String::new(), String::new())),
        }
    }
    out
}

const KNOWN: [&str; 5] = ["final-recipient", "original-recipient", "status", "action", "diagnostic-code"];
