//! The pages of the sign-in service, in plain HTML: sign-in, device, and the way back to the client.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::access::GOOGLE_MAIL;
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
    layout(
        "Sign in",
        &format!(
            "<h1>Sign in</h1><p class=\"note\">This is the emulator, playing {}. Say who you are, and approve or deny. No password is needed.</p>{}\
             <form class=\"card\" method=\"post\"><p>The application <code>{}</code> would like to:</p>{}\
             <input type=\"hidden\" name=\"request\" value=\"{}\">{}{}</form>",
            service(dialect),
            trouble(problem),
            escape(asked.client_id),
            permissions(asked.scope),
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

/// A device that shows a code and waits.
pub(crate) struct Waiting<'a> {
    pub(crate) user_code: &'a str,
    pub(crate) application: Application<'a>,
}

/// The page where a device's code is typed in.
pub(crate) fn device(
    dialect: Dialect,
    code: &str,
    username: &str,
    waiting: &[Waiting<'_>],
    problem: Option<&str>,
) -> String {
    let rows: String = waiting
        .iter()
        .map(|device| {
            format!(
                "<tr><td><a href=\"?user_code={0}\"><code>{0}</code></a></td><td>{1}</td></tr>",
                escape(device.user_code),
                permissions(device.application.scope)
            )
        })
        .collect();
    let rows = match rows.is_empty() {
        true => {
            "<p class=\"note\">No device waits for an answer. Start the sign-in of your program first.</p>"
                .to_owned()
        }
        false => format!(
            "<h2>Devices that wait</h2><table><tr><th>Code</th><th>Would like to</th></tr>{rows}</table>"
        ),
    };
    layout(
        "Sign in on a device",
        &format!(
            "<h1>Sign in on a device</h1><p class=\"note\">This is the emulator, playing {}. Your program shows a code. Type it in here, say \
             which mailbox the program sends from, and approve. No password is needed.</p>{}\
             <form class=\"card\" method=\"post\"><label>Code<input name=\"user_code\" value=\"{}\" required autofocus autocomplete=\"off\"></label>\
             <label>Account<input name=\"username\" type=\"email\" value=\"{}\" required placeholder=\"{DEFAULT_USERNAME}\"></label>{}</form>{rows}",
            service(dialect),
            trouble(problem),
            escape(code),
            escape(username),
            BUTTONS,
        ),
    )
}

/// What comes after it.
pub(crate) fn device_done(decision: Decision, username: &str) -> String {
    let text = match decision {
        Decision::Approve => {
            format!("You have signed in on your device as {}. You may close this window.", escape(username))
        }
        Decision::Deny => "You have refused. Your program is told. You may close this window.".to_owned(),
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

fn service(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Microsoft => "Microsoft",
        Dialect::Google => "Google",
    }
}

/// Scopes in words, each with its name.
fn permissions(scope: &str) -> String {
    let rows: String = scope
        .split_whitespace()
        .map(|scope| {
            let words = match scope.rsplit('/').next().unwrap_or_default() {
                "SMTP.Send" | "Mail.Send" => "send mail as you: ",
                "" if scope == GOOGLE_MAIL => "read, write, send and delete your mail: ",
                "offline_access" => "stay signed in: ",
                "openid" | "profile" | "email" => "see who you are: ",
                _ => "",
            };
            format!("<li>{words}<code>{}</code></li>", escape(scope))
        })
        .collect();
    format!("<ul>{rows}</ul>")
}
