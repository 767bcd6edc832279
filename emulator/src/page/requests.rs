//! What the sign-in service was asked for.

use crate::html::escape;
use crate::memory::Shared;

/// Requests that are shown.
const ROWS: usize = 200;

/// The requests at the token endpoint, the newest first.
pub(super) fn tokens(shared: &Shared) -> String {
    let memory = shared.lock();
    let rows: String = memory
        .log
        .tokens()
        .rev()
        .take(ROWS)
        .map(|request| {
            let class = if request.status < 400 { "good" } else { "bad" };
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{} {}</td></tr>",
                escape(&request.grant),
                escape(request.username.as_deref().unwrap_or("–")),
                escape(&request.client_id),
                escape(request.client_auth),
                escape(request.scope.as_deref().unwrap_or("–")),
                request.status,
                escape(request.error.as_deref().unwrap_or("")),
            )
        })
        .collect();
    if rows.is_empty() {
        return "<p class=\"note\">No token was asked for yet</p>".to_owned();
    }
    format!(
        "<table><tr><th>Grant</th><th>Mailbox</th><th>Application</th><th>Proof</th><th>Scope</th><th>Answer</th></tr>{rows}</table>"
    )
}
