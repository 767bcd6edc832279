//! The pages, in plain HTML without script: sign-in, device, inbox. Whatever came from outside is escaped.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::config::Dialect;
use crate::http;
use crate::mime::{self, Part};
use crate::oauth::authorize::{Asked, Decision};
use crate::random;
use crate::received::Received;
use crate::state::Shared;
use crate::switches::SWITCHES;
use crate::{DEFAULT_USERNAME, clock};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}\
h1{font-size:1.4rem}code,pre,input{font-family:ui-monospace,monospace}pre{background:#f4f4f4;padding:1rem;overflow:auto}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\
form.card{border:1px solid #ccc;border-radius:8px;padding:1.5rem;max-width:28rem}label{display:block;margin:.6rem 0}\
input{display:block;width:100%;box-sizing:border-box;padding:.5rem;font-size:1rem}button{padding:.5rem 1.2rem;margin:.8rem .6rem 0 0;font-size:1rem}\
.error{color:#a00}.note{color:#666}iframe{width:100%;height:32rem;border:1px solid #ccc}";

/// Text as HTML, also within a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The sign-in page. `request` is the query that came, to be sent back with the decision.
pub(crate) fn sign_in(dialect: Dialect, asked: &Asked, request: &str, problem: Option<&str>) -> String {
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
            escape(&asked.client_id),
            escape(request),
            account(asked.login_hint.as_deref().unwrap_or(DEFAULT_USERNAME)),
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

/// What was received, and how to use the emulator.
pub(crate) fn inbox(shared: &Shared, messages: &[std::sync::Arc<Received>]) -> String {
    let rows: String = messages
        .iter()
        .rev()
        .map(|message| {
            let subject = match message.subject.as_str() {
                "" => "(no subject)",
                subject => subject,
            };
            format!(
                "<tr><td>{}</td><td><a href=\"/messages/{}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                message.number,
                message.number,
                escape(subject),
                escape(&message.mail_from),
                escape(&message.rcpt_to.join(", ")),
                clock::entra(message.received_at),
            )
        })
        .collect();
    let list = if rows.is_empty() {
        "<p>Nothing yet.</p>".to_owned()
    } else {
        format!("<table><tr><th>#</th><th>Subject</th><th>From</th><th>To</th><th>At</th></tr>{rows}</table>")
    };
    layout(
        "Emulator",
        &format!(
            "<h1>Messages received</h1>{list}{}{}<h1>How to send here</h1><table>\
             <tr><th>SMTP with STARTTLS</th><td><code>localhost:{}</code></td></tr>\
             <tr><th>SMTP over TLS</th><td><code>localhost:{}</code></td></tr>\
             <tr><th>Sign-in service</th><td><code>{}</code></td></tr>\
             <tr><th>Certificate authority</th><td><code>{}</code></td></tr>\
             <tr><th>Settings</th><td>\
             <a href=\"/api/settings?grant=client_credentials\">as options</a>, \
             <a href=\"/api/environ?grant=client_credentials\">as environment variables</a></td></tr>\
             <tr><th>What was seen</th><td><a href=\"/api/seen\">as JSON</a></td></tr></table>",
            switches(shared),
            asked(shared),
            shared.smtp_port,
            shared.smtps_port,
            escape(&shared.authority),
            escape(&shared.ca_file),
        ),
    )
}

/// What can go wrong at the press of a button, and what is to go wrong already.
fn switches(shared: &Shared) -> String {
    let options: String = SWITCHES
        .iter()
        .map(|switch| format!("<option value=\"{}\">{}</option>", switch.name, escape(switch.text)))
        .collect();
    let waiting: String = shared
        .lock()
        .faults
        .all()
        .map(|fault| {
            let what = fault.reply.clone().or_else(|| fault.status.map(|status| format!("HTTP {status}")));
            let what = what
                .unwrap_or_else(|| if fault.drop { "the connection breaks".into() } else { "late".into() });
            let times =
                if fault.times == 0 { "for ever".to_owned() } else { format!("{} times", fault.times) };
            format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{times}</td></tr>",
                escape(&fault.at),
                escape(&what)
            )
        })
        .collect();
    let table = match waiting.is_empty() {
        true => String::new(),
        false => format!("<table><tr><th>At</th><th>What</th><th>How often</th></tr>{waiting}</table>"),
    };
    format!(
        "<h1>What goes wrong</h1>{table}<form method=\"post\" action=\"/switch\"><select name=\"fault\" aria-label=\"Fault\">{options}</select> \
         <select name=\"times\" aria-label=\"How often\"><option value=\"1\">once</option><option value=\"0\">for ever</option></select> \
         <button name=\"do\" value=\"fail\">Let it go wrong</button><button name=\"do\" value=\"heal\">Nothing goes wrong</button></form>\
         <form method=\"post\" action=\"/switch\"><button name=\"do\" value=\"expire_tokens\">Refuse the tokens of before</button>\
         <button name=\"do\" value=\"revoke\">Revoke the sign-ins of {}</button><button name=\"do\" value=\"clear\">Forget everything</button></form>",
        escape(DEFAULT_USERNAME)
    )
}

/// What the sign-in service was asked for.
fn asked(shared: &Shared) -> String {
    let state = shared.lock();
    let rows: String = state
        .log
        .tokens()
        .rev()
        .take(20)
        .map(|request| {
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{} {}</td></tr>",
                escape(&request.grant),
                escape(&request.client_id),
                escape(request.client_auth),
                escape(request.scope.as_deref().unwrap_or("-")),
                request.status,
                escape(request.error.as_deref().unwrap_or("")),
            )
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<h1>Tokens asked for</h1><table><tr><th>Grant</th><th>Application</th><th>Proof</th><th>Scope</th><th>Answer</th></tr>{rows}</table>"
    )
}

/// One message: its envelope, its headers, its text, its HTML in a frame where nothing runs.
pub(crate) fn message(shared: &Shared, message: &Received) -> String {
    let part = mime::parse(&message.raw);
    let headers: String = ["From", "To", "Cc", "Subject", "Date", "Message-ID"]
        .iter()
        .filter_map(|name| {
            let value = part.header(name)?;
            Some(format!("<tr><th>{name}</th><td>{}</td></tr>", escape(&value)))
        })
        .collect();
    let text = part
        .find("text/plain")
        .map(|text| format!("<h1>Text</h1><pre>{}</pre>", escape(&text.text())))
        .unwrap_or_default();
    let html = if part.find("text/html").is_some() {
        format!(
            "<h1>HTML</h1><iframe sandbox src=\"/messages/{}/html\" title=\"HTML\"></iframe>",
            message.number
        )
    } else {
        String::new()
    };
    let files: String =
        part.files().iter().enumerate().map(|(at, part)| file(message.number, at, part)).collect();
    let talk: Vec<String> =
        shared.lock().log.talk(message.connection).iter().map(|line| escape(line)).collect();
    let talk = match talk.is_empty() {
        true => String::new(),
        false => format!("<h1>Its connection</h1><pre>{}</pre>", talk.join("\n")),
    };
    let source: String = String::from_utf8_lossy(&message.raw).chars().take(SOURCE_SHOWN).collect();
    layout(
        "Message",
        &format!(
            "<p><a href=\"/\">All messages</a> · <a href=\"/api/messages/{}/raw\">raw</a></p><table>\
             <tr><th>MAIL FROM</th><td>{}</td></tr><tr><th>RCPT TO</th><td>{}</td></tr>\
             <tr><th>Authenticated as</th><td>{} ({})</td></tr>{headers}</table>{text}{html}{}<h1>Source</h1><pre>{}</pre>{talk}",
            message.number,
            escape(&message.mail_from),
            escape(&message.rcpt_to.join(", ")),
            escape(&message.username),
            escape(&message.mechanism),
            if files.is_empty() { String::new() } else { format!("<h1>Attachments</h1><ul>{files}</ul>") },
            escape(&source),
        ),
    )
}

/// The HTML of a message by itself, for that frame.
pub(crate) fn message_html(message: &Received) -> Response {
    let part = mime::parse(&message.raw);
    let Some(html) = part.find("text/html") else {
        return http::text(404, "this message has no HTML\n");
    };
    let mut response = http::page(200, html.text());
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
        ),
    );
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

fn file(message: usize, at: usize, part: &Part<'_>) -> String {
    format!(
        "<li><a href=\"/messages/{message}/files/{at}\">{}</a> <span class=\"note\">{}, {} octets</span></li>",
        escape(&part.file_name().unwrap_or_else(|| "(no name)".to_owned())),
        escape(&part.kind()),
        part.decoded().len()
    )
}

/// An attachment, to be kept and not to be shown: it is a stranger's.
pub(crate) fn message_file(message: &Received, at: usize) -> Option<Response> {
    let whole = mime::parse(&message.raw);
    let files = whole.files();
    let part = files.get(at)?;
    let name: String = part
        .file_name()
        .unwrap_or_else(|| "attachment".to_owned())
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' })
        .collect();
    let mut response = http::octets(part.decoded().to_vec());
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).ok()?;
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Some(response)
}

/// So much of a message's source is shown; all of it is under `raw`.
const SOURCE_SHOWN: usize = 200_000;

fn layout(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>{body}</body></html>"
    )
}
