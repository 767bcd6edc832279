//! The right pane: one message from all sides, and the connection it came over.

use std::borrow::Cow;

use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::clock;
use crate::html::{escape, query};
use crate::http;
use crate::memory::Shared;
use crate::mime::{self, File, Reading};
use crate::received::Received;

/// The page shows this many octets of a message's source; Raw has all of them.
const SOURCE_SHOWN: usize = 200_000;

/// The message with its connection beside it.
pub(super) fn show(shared: &Shared, message: &Received, view: Option<&str>, search: &str) -> String {
    let reading = mime::whole(&message.raw);
    let (html, text) = (reading.html().is_some(), reading.text().is_some());
    let view = match view {
        Some(view @ ("html" | "text" | "headers" | "source")) => view,
        _ if html => "html",
        _ if text => "text",
        _ => "source",
    };
    let sides = [
        ("html", "HTML", html),
        ("text", "Text", text),
        ("headers", "Headers", true),
        ("source", "Source", true),
    ];
    let tabs: String = sides
        .iter()
        .filter(|(_, _, there)| *there)
        .map(|(name, title, _)| {
            let current = if *name == view { " aria-current=\"true\"" } else { "" };
            let query = query(&[("view", name), ("q", search)]);
            format!("<a href=\"/messages/{}{query}\"{current}>{title}</a>", message.number)
        })
        .collect();
    let side = match view {
        "html" => format!(
            "<iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/messages/{}/html\" title=\"HTML\"></iframe>",
            message.number
        ),
        "text" => format!("<pre class=\"text\">{}</pre>", escape(reading.text().unwrap_or_default())),
        "headers" => headers(message),
        _ => source(message),
    };
    format!(
        "<article>{}{}<nav class=\"tabs\" aria-label=\"Sides of the message\">{tabs}\
         <a href=\"/api/messages/{}/raw\">Raw</a></nav>{side}</article>\
         <aside aria-label=\"Connection\"><h2>Connection {}</h2>{}</aside>",
        head(message),
        files(message, &reading),
        message.number,
        message.connection,
        conversation(shared, message.connection),
    )
}

/// What was said over a connection; credentials are not in it.
pub(super) fn conversation(shared: &Shared, connection: usize) -> String {
    let memory = shared.lock();
    let lines = memory.log.talk(connection);
    if lines.is_empty() {
        return "<p class=\"note\">What was said is no longer kept.</p>".to_owned();
    }
    let lines: String = lines
        .iter()
        .map(|line| {
            let class = match line.as_bytes() {
                [b'C', ..] => "client",
                [b'S', b':', b' ', b'4' | b'5', ..] => "refusal",
                _ => "server",
            };
            format!("<span class=\"{class}\">{}</span>\n", escape(line))
        })
        .collect();
    format!("<pre class=\"talk\">{lines}</pre>")
}

/// The HTML of a message by itself, for the frame. Its own images are shown; nothing else is loaded, and
/// nothing runs.
pub(super) fn html(message: &Received, base: &str) -> Option<Response> {
    let reading = mime::whole(&message.raw);
    let html = with_inline(reading.html()?, message.number);
    // A link opens in a window of its own.
    let mut response = http::page(200, format!("<base target=\"_blank\">{html}"));
    let policy = format!(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; \
         img-src data: {base}/messages/; font-src data:; frame-ancestors 'self'"
    );
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).ok()?);
    Some(response)
}

/// An image that the HTML names by `cid:` (RFC 2392).
pub(super) fn inline(message: &Received, id: &str) -> Option<Response> {
    const IMAGES: [&str; 6] =
        ["image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "image/bmp"];
    let reading = mime::whole(&message.raw);
    let file = reading.with_id(id)?;
    let kind = IMAGES.iter().find(|kind| **kind == file.kind)?;
    let mut response = http::octets(file.octets.into_owned());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // An SVG opened by itself is a document: it runs nothing either.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'; style-src 'unsafe-inline'"),
    );
    Some(response)
}

/// An attachment as a download. The browser never shows it: a stranger has written it.
pub(super) fn file(message: &Received, at: usize) -> Option<Response> {
    let reading = mime::whole(&message.raw);
    let file = reading.files().into_iter().nth(at)?;
    let name: String = file_name(&file)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' })
        .collect();
    let mut response = http::octets(file.octets.into_owned());
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).ok()?;
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Some(response)
}

fn head(message: &Received) -> String {
    let shown = mime::headers(&message.raw);
    let fields: String = ["From", "To", "Cc", "Reply-To", "Date"]
        .iter()
        .filter_map(|name| {
            let (_, value) = shown.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            Some(format!("<tr><th>{name}</th><td>{}</td></tr>", escape(value)))
        })
        .collect();
    let subject = if message.subject.is_empty() { "(no subject)" } else { &message.subject };
    let parameters = |words: &[String]| words.iter().map(|word| format!(" {word}")).collect::<String>();
    let recipients: Vec<String> = message
        .rcpt_to
        .iter()
        .enumerate()
        .map(|(at, address)| {
            let words = message.rcpt_params.get(at).map(|words| parameters(words)).unwrap_or_default();
            format!("&lt;{}&gt;{}", escape(address), escape(&words))
        })
        .collect();
    format!(
        "<h1>{}</h1><table>{fields}<tr><th>MAIL FROM</th><td>&lt;{}&gt;{}</td></tr><tr><th>RCPT TO</th><td>{}</td></tr>\
         <tr><th>Signed in</th><td>{} by {}</td></tr><tr><th>Received</th><td>{}, {} octets</td></tr></table>",
        escape(subject),
        escape(&message.mail_from),
        escape(&parameters(&message.mail_params)),
        recipients.join(", "),
        escape(&message.username),
        escape(&message.mechanism),
        clock::entra(message.received_at),
        message.size,
    )
}

fn headers(message: &Received) -> String {
    let rows: String = mime::headers(&message.raw)
        .iter()
        .map(|(name, value)| format!("<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value)))
        .collect();
    format!("<table class=\"headers\">{rows}</table>")
}

fn source(message: &Received) -> String {
    let shown = &message.raw[..message.raw.len().min(SOURCE_SHOWN)];
    let rest = match message.raw.len() > SOURCE_SHOWN {
        true => "<p class=\"note\">The rest is under Raw.</p>",
        false => "",
    };
    format!("<pre class=\"source\">{}</pre>{rest}", escape(&String::from_utf8_lossy(shown)))
}

fn files(message: &Received, reading: &Reading<'_>) -> String {
    let files: String = reading
        .files()
        .iter()
        .enumerate()
        .map(|(at, file)| {
            format!(
                "<li><a href=\"/messages/{}/files/{at}\">{}</a> <span class=\"note\">{}, {} octets</span></li>",
                message.number,
                escape(&file_name(file)),
                escape(&file.kind),
                file.octets.len()
            )
        })
        .collect();
    if files.is_empty() {
        files
    } else {
        format!("<ul class=\"files\" aria-label=\"Attachments\">{files}</ul>")
    }
}

fn file_name<'a>(file: &'a File<'_>) -> Cow<'a, str> {
    match (&file.name, &file.id) {
        (Some(name), _) => Cow::Borrowed(name),
        (None, Some(id)) => Cow::Owned(format!("cid:{id}")),
        (None, None) => Cow::Borrowed("attachment"),
    }
}

/// `cid:` in the HTML's attributes becomes the address of the part.
fn with_inline(html: &str, number: usize) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = find_cid(rest) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let id = &after[4..];
        let end = id.find(['"', '\'', '>', ')', ' ', '<']).unwrap_or(id.len());
        out.push_str(&format!("/messages/{number}/cid/{}", &id[..end]));
        rest = &id[end..];
    }
    out.push_str(rest);
    out
}

/// Where `cid:` begins right behind a quote, an equals sign or a bracket.
fn find_cid(html: &str) -> Option<usize> {
    let octets = html.as_bytes();
    (1..octets.len().saturating_sub(3)).find(|at| {
        octets[*at..*at + 4].eq_ignore_ascii_case(b"cid:")
            && matches!(octets[at - 1], b'"' | b'\'' | b'=' | b'(')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_the_message_get_an_address() {
        let html = "<img src=\"cid:logo@x.example\"><p>cid:no</p><img src=CID:b><div style=\"background:url(cid:c)\">ü";
        assert_eq!(
            with_inline(html, 3),
            "<img src=\"/messages/3/cid/logo@x.example\"><p>cid:no</p><img src=/messages/3/cid/b><div style=\"background:url(/messages/3/cid/c)\">ü"
        );
        assert_eq!(with_inline("cid", 1), "cid");
        assert_eq!(with_inline("", 1), "");
    }
}
