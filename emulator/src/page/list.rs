//! The left pane: messages, or connections.

use crate::clock;
use crate::html::{escape, query};
use crate::memory::Shared;
use crate::received::Received;

/// Rows that are shown; searching finds the others.
const ROWS: usize = 200;

/// The messages that contain what is searched for, the newest first.
pub(super) fn messages(shared: &Shared, search: &str, chosen: Option<usize>) -> String {
    let all = shared.lock().inbox.all();
    let total = all.len();
    let found: Vec<_> = all.iter().rev().filter(|message| message.contains(search)).collect();
    let rows: String = found
        .iter()
        .take(ROWS)
        .map(|message| {
            let current = if Some(message.number) == chosen { " aria-current=\"true\"" } else { "" };
            format!("<li{current}>{}</li>", row(message, search))
        })
        .collect();
    let counted = match (search.is_empty(), found.len()) {
        (true, _) if total == 0 => "No messages yet".to_owned(),
        (true, 1) => "1 message".to_owned(),
        (true, count) if count <= ROWS => format!("{count} messages"),
        (true, count) => format!("{count} messages, the newest {ROWS} shown"),
        (false, count) => format!("{count} of {total} messages contain “{}”", escape(search)),
    };
    format!("<p class=\"note\">{counted}</p><ol>{rows}</ol>")
}

fn row(message: &Received, search: &str) -> String {
    let subject = match message.subject.as_str() {
        "" => "(no subject)",
        subject => subject,
    };
    format!(
        "<a href=\"/messages/{}{}\">{}</a><span class=\"who\">{} → {}</span><time datetime=\"{}\">{}</time>",
        message.number,
        query(&[("q", search)]),
        escape(subject),
        escape(if message.mail_from.is_empty() { "<>" } else { &message.mail_from }),
        escape(&message.rcpt_to.join(", ")),
        clock::iso(message.received_at),
        clock::entra(message.received_at),
    )
}

/// The connections, the newest first.
pub(super) fn connections(shared: &Shared, chosen: Option<usize>) -> String {
    let memory = shared.lock();
    let rows: String = memory
        .log
        .talks()
        .rev()
        .take(ROWS)
        .map(|(number, lines)| {
            let current = if Some(number) == chosen { " aria-current=\"true\"" } else { "" };
            let last = lines.iter().rev().find(|line| line.starts_with("S: ")).map_or("", |line| &line[3..]);
            let signed = memory.log.signed_in(number);
            let who = match signed {
                Some(auth) if auth.accepted => format!("{} by {}", auth.username, auth.mechanism),
                Some(auth) => format!("{}: {}", auth.username, auth.reply),
                None => "nobody signed in".to_owned(),
            };
            format!(
                "<li{current}><a href=\"/connections/{number}\">Connection {number}</a><span class=\"who\">{}</span><span class=\"who\">{}</span></li>",
                escape(&who),
                escape(last)
            )
        })
        .collect();
    match rows.is_empty() {
        true => "<p class=\"note\">No connections yet</p>".to_owned(),
        false => format!("<ol>{rows}</ol>"),
    }
}
