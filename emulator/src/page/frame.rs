//! What stands around everything: the bar with search and sections, the switches, the two panes.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::panel;
use crate::config::Dialect;
use crate::html::escape;
use crate::http;
use crate::memory::Shared;

/// A section of the page.
pub(super) struct Section {
    name: &'static str,
    path: &'static str,
}

pub(super) const MESSAGES: Section = Section { name: "Messages", path: "/" };
pub(super) const CONNECTIONS: Section = Section { name: "Connections", path: "/connections" };
pub(super) const TOKENS: Section = Section { name: "Token requests", path: "/tokens" };

/// A page of two panes: a list, and what was chosen in it.
pub(super) fn page(
    shared: &Shared,
    section: &Section,
    search: &str,
    list: String,
    shown: String,
) -> Response {
    let panes = format!("<nav id=\"list\" aria-label=\"{}\">{list}</nav><main>{shown}</main>", section.name);
    whole(shared, section, search, &panes)
}

/// A page of one pane.
pub(super) fn wide(shared: &Shared, section: &Section, shown: String) -> Response {
    whole(shared, section, "", &format!("<main id=\"list\">{shown}</main>"))
}

/// Where to send, for somebody who has just opened the page.
pub(super) fn how_to_connect(shared: &Shared) -> String {
    format!(
        "<h1>Send a message here</h1><p>Run your program with these settings. What it sends appears on the left.</p><table>\
         <tr><th>SMTP with STARTTLS</th><td><code>{0}:{1}</code></td></tr>\
         <tr><th>SMTP over TLS</th><td><code>{0}:{2}</code></td></tr>\
         <tr><th>Sign-in service</th><td><code>{3}</code></td></tr>\
         <tr><th>Certificate authority</th><td><code>{4}</code></td></tr>\
         <tr><th>Settings</th><td><a href=\"/api/settings\">as options</a>, \
         <a href=\"/api/environ\">as environment variables</a></td></tr>\
         <tr><th>For programs</th><td><a href=\"/api\">the interface under /api</a>, \
         <a href=\"/api/seen\">what the servers saw</a></td></tr></table>\
         <p>Or start your program under the emulator: <code>mailbearer emulator -- COMMAND</code></p>",
        escape(&shared.host),
        shared.smtp_port,
        shared.smtps_port,
        escape(&shared.authority),
        escape(&shared.ca_file),
    )
}

fn whole(shared: &Shared, section: &Section, search: &str, panes: &str) -> Response {
    let service = match shared.dialect {
        Dialect::Microsoft => "Microsoft 365",
        Dialect::Google => "Gmail",
    };
    let sections: String = [&MESSAGES, &CONNECTIONS, &TOKENS]
        .iter()
        .map(|other| {
            let current = if other.path == section.path { " aria-current=\"page\"" } else { "" };
            format!("<a href=\"{}\"{current}>{}</a>", other.path, other.name)
        })
        .collect();
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} – mailbearer emulator</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/page.css\">\
         <script src=\"/page.js\" defer></script></head><body data-revision=\"{}\">\
         <header><strong>mailbearer emulator</strong><span class=\"note\">plays {service}</span>\
         <nav class=\"sections\" aria-label=\"Sections\">{sections}</nav>\
         <form action=\"/\" role=\"search\"><input type=\"search\" name=\"q\" value=\"{}\" aria-label=\"Search messages\" placeholder=\"Search messages\"></form>\
         <span id=\"live\" role=\"status\"></span></header>{}<div class=\"panes\">{panes}</div></body></html>",
        section.name,
        shared.revision(),
        escape(search),
        panel::show(shared),
    );
    let mut response = http::page(200, body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
