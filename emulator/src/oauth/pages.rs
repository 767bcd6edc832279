//! The pages of the sign-in service, in plain HTML: sign-in, device, and the way back to the client.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::config::Dialect;
use crate::defaults::DEFAULT_USERNAME;
use crate::html::{escape, layout};
use crate::http;
use crate::person::Decision;
use crate::random;

/// The application that asks, and for what.
pub(crate) struct Application<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) login_hint: Option<&'a str>,
}

/// The sign-in page. `request` is the query that came, to be sent back with the decision.
pub(crate) fn sign_in(
    dialect: Dialect,
    asked: &Application<'_>,
    request: &str,
    problem: Option<&str>,
) -> String {
    let service = match dialect {
        Dialect::Microsoft => "Microsoft",
        Dialect::Google => "Google",
    };
    let scopes: String = asked
        .scope
        .split_whitespace()
        .map(|scope| format!("<li><code>{}</code></li>", escape(scope)))
        .collect();
    layout(
        "Sign in",
        &format!(
            "<h1>Sign in</h1><p class=\"note\">This is the emulator, playing {service}. No password is needed.</p>{}\
             <form class=\"card\" method=\"post\"><p>The application <code>{}</code> would like to:</p><ul>{scopes}</ul>\
             <input type=\"hidden\" name=\"request\" value=\"{}\">{}{}</form>",
            trouble(problem),
            escape(asked.client_id),
            escape(request),
            account(asked.login_hint.unwrap_or(DEFAULT_USERNAME)),
            BUTTONS,
        ),
    )
}

/// A sign-in that cannot go back to its client.
pub(crate) fn refused(error: &str, text: &str) -> String {
    layout(
        "Sign-in failed",
        &format!(
            "<h1>Sorry, but we’re having trouble signing you in.</h1><p><code>{}</code></p><p class=\"error\">{}</p>",
            escape(error),
            escape(text)
        ),
    )
}

/// The page where a device's code is typed in.
pub(crate) fn device(code: &str, username: &str, problem: Option<&str>) -> String {
    layout(
        "Enter code",
        &format!(
            "<h1>Enter code to allow access</h1><p class=\"note\">This is the emulator. Enter the code that your device shows.</p>{}\
             <form class=\"card\" method=\"post\"><label>Code<input name=\"user_code\" value=\"{}\" required autofocus autocomplete=\"off\"></label>{}{}</form>",
            trouble(problem),
            escape(code),
            account(username),
            BUTTONS,
        ),
    )
}

/// What comes after it.
pub(crate) fn device_done(decision: Decision) -> String {
    let text = match decision {
        Decision::Approve => "You have signed in on your device. You may now close this window.",
        Decision::Deny => "You have refused. You may now close this window.",
    };
    layout("Done", &format!("<h1>{text}</h1>"))
}

/// A page that posts an authorization response to the client by itself (OAuth 2.0 Form Post Response Mode).
pub(crate) fn form_post(redirect_uri: &str, fields: &[(&'static str, String)]) -> Response {
    let inputs: String = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value)))
        .collect();
    let nonce = random::opaque();
    let body = layout(
        "Working…",
        &format!(
            "<form method=\"post\" action=\"{}\">{inputs}<noscript><button>Continue</button></noscript></form>\
             <script nonce=\"{nonce}\">document.forms[0].submit()</script>",
            escape(redirect_uri)
        ),
    );
    let mut response = http::page(200, body);
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

const BUTTONS: &str = "<button name=\"decision\" value=\"approve\">Approve</button>\
<button name=\"decision\" value=\"deny\" formnovalidate>Deny</button>";

fn account(username: &str) -> String {
    format!(
        "<label>Account<input name=\"username\" type=\"email\" value=\"{}\" required></label>",
        escape(username)
    )
}

fn trouble(problem: Option<&str>) -> String {
    problem.map_or_else(String::new, |problem| format!("<p class=\"error\">{}</p>", escape(problem)))
}
