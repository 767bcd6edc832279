//! The page for people: what arrived, what was said on the wire, what the sign-in service was asked for, and
//! the switches for what is to go wrong.
//!
//! The server writes the whole page; `page.js` only brings it up to date, and nothing is lost without it.
//! A stranger has written the messages: their text is escaped, and their HTML is shown in a frame where
//! nothing runs.

mod frame;
mod list;
mod message;
mod panel;
mod requests;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use url::{Position, Url};

use crate::http::{self, Base};
use crate::memory::Shared;
use crate::oauth::form::Form;

/// The page's own routes. Only on the plain listener.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(start))
        .route("/messages/{number}", get(message))
        .route("/messages/{number}/html", get(html))
        .route("/messages/{number}/cid/{id}", get(inline))
        .route("/messages/{number}/files/{file}", get(file))
        .route("/connections", get(connections))
        .route("/connections/{number}", get(connection))
        .route("/tokens", get(tokens))
        .route("/switch", post(switch))
        .route("/page.css", get(async || http::asset("text/css; charset=utf-8", include_str!("page.css"))))
        .route(
            "/page.js",
            get(async || http::asset("text/javascript; charset=utf-8", include_str!("page.js"))),
        )
}

type Page = State<Arc<Shared>>;

/// The query of the page: what is searched for, and which side of a message is shown.
struct Wanted {
    search: String,
    view: Option<String>,
}

impl Wanted {
    fn of(query: Option<&str>) -> Self {
        let form = Form::parse(query.unwrap_or_default().as_bytes());
        Self {
            search: form.text("q").unwrap_or_default().trim().to_owned(),
            view: form.text("view").map(str::to_owned),
        }
    }
}

async fn start(State(shared): Page, RawQuery(query): RawQuery) -> Response {
    let wanted = Wanted::of(query.as_deref());
    frame::page(&shared, &frame::MESSAGES, &wanted.search, list::messages(&shared, &wanted.search, None), {
        frame::how_to_connect(&shared)
    })
}

async fn message(State(shared): Page, Path(number): Path<usize>, RawQuery(query): RawQuery) -> Response {
    let wanted = Wanted::of(query.as_deref());
    let found = shared.lock().inbox.numbered(number);
    let Some(found) = found else {
        return http::text(404, "there is no such message\n");
    };
    let list = list::messages(&shared, &wanted.search, Some(number));
    let shown = message::show(&shared, &found, wanted.view.as_deref(), &wanted.search);
    frame::page(&shared, &frame::MESSAGES, &wanted.search, list, shown)
}

async fn connections(State(shared): Page) -> Response {
    let list = list::connections(&shared, None);
    let shown = "<p class=\"note\">Choose a connection to read what was said. Credentials are left out.</p>";
    frame::page(&shared, &frame::CONNECTIONS, "", list, shown.to_owned())
}

async fn connection(State(shared): Page, Path(number): Path<usize>) -> Response {
    let list = list::connections(&shared, Some(number));
    let shown = format!("<h1>Connection {number}</h1>{}", message::conversation(&shared, number));
    frame::page(&shared, &frame::CONNECTIONS, "", list, shown)
}

async fn tokens(State(shared): Page) -> Response {
    frame::wide(&shared, &frame::TOKENS, requests::tokens(&shared))
}

async fn html(
    State(shared): Page,
    Extension(Base(base)): Extension<Base>,
    Path(number): Path<usize>,
) -> Response {
    let found = shared.lock().inbox.numbered(number);
    match found.and_then(|found| message::html(&found, &base)) {
        Some(response) => response,
        None => http::text(404, "there is no such HTML\n"),
    }
}

async fn inline(State(shared): Page, Path((number, id)): Path<(usize, String)>) -> Response {
    let found = shared.lock().inbox.numbered(number);
    match found.and_then(|found| message::inline(&found, &id)) {
        Some(response) => response,
        None => http::text(404, "there is no such image\n"),
    }
}

async fn file(State(shared): Page, Path((number, file)): Path<(usize, usize)>) -> Response {
    let found = shared.lock().inbox.numbered(number);
    match found.and_then(|found| message::file(&found, file)) {
        Some(response) => response,
        None => http::text(404, "there is no such attachment\n"),
    }
}

/// A button was pressed; the browser goes back to where it was.
async fn switch(State(shared): Page, headers: HeaderMap, body: Bytes) -> Response {
    if http::is_cross_origin(&headers) {
        return http::text(403, "another site's page cannot control the emulator\n");
    }
    let form = Form::parse(&body);
    if let Err(problem) = panel::press(&shared, &form) {
        return http::text(400, problem + "\n");
    }
    let from = headers
        .get(header::REFERER)
        .and_then(|from| from.to_str().ok())
        .and_then(|from| Url::parse(from).ok());
    // Only the path counts: the way back never leaves the emulator. A message that was deleted has no page.
    let back = from
        .filter(|_| form.text("do") != Some("clear"))
        .map_or_else(|| "/".to_owned(), |from| from[Position::BeforePath..Position::AfterQuery].to_owned());
    let mut response = http::redirect(&format!("/{}", back.trim_start_matches('/')));
    // A form was posted: what comes next is fetched with GET.
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
