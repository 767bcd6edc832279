//! The authorization endpoint (RFC 6749 §3.1): a page on which a person says who they are, and yes or no.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use url::Url;

use crate::config::Dialect;
use crate::defaults::{DEFAULT_USERNAME, GOOGLE_ISSUER};
use crate::fault::Point;
use crate::grant::{Challenge, Code, Consent};
use crate::http::{self, Base};
use crate::memory::{Memory, Shared};
use crate::oauth::answer;
use crate::oauth::client;
use crate::oauth::error::{OauthError, Trace};
use crate::oauth::form::Form;
use crate::oauth::pages::{self, Application};
use crate::oauth::scope::Scopes;
use crate::person::{Decision, address};
use crate::random;
use crate::tenant::Tenant;

/// `GET /{tenant}/oauth2/v2.0/authorize`
pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    show(&shared, &tenant, &query.unwrap_or_default(), &headers).await
}

/// `GET /o/oauth2/v2/auth`
pub(crate) async fn google_page(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    show(&shared, "organizations", &query.unwrap_or_default(), &headers).await
}

/// The form of that page.
pub(crate) async fn decision(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    submit(&shared, &tenant, &headers, &body)
}

/// The form of Google's page.
pub(crate) async fn google_decision(
    State(shared): State<Arc<Shared>>,
    Extension(Base(_)): Extension<Base>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    submit(&shared, "organizations", &headers, &body)
}

/// From an authorize URL to the answer for the client, as if a person had been there.
pub(crate) fn sign_in(
    shared: &Shared,
    url: &str,
    username: &str,
    decision: Decision,
) -> Result<Callback, String> {
    let url = Url::parse(url).map_err(|error| format!("the authorize URL is not a URL: {error}"))?;
    let ours = [&shared.url, &shared.authority]
        .iter()
        .any(|base| Url::parse(base).is_ok_and(|base| base.port() == url.port()));
    let segments: Vec<&str> = url.path_segments().map_or_else(Vec::new, Iterator::collect);
    let tenant = match (shared.dialect, segments.as_slice()) {
        (Dialect::Microsoft, [tenant, "oauth2", "v2.0", "authorize"]) if ours => *tenant,
        (Dialect::Google, ["o", "oauth2", "v2", "auth"]) if ours => "organizations",
        _ => {
            return Err(format!(
                "{}{} is not this emulator's authorize page",
                url.origin().ascii_serialization(),
                url.path()
            ));
        }
    };
    let form = Form::parse(url.query().unwrap_or_default().as_bytes());
    let username = address(username)?;
    let trace = Trace::of(&HeaderMap::new());
    let mut memory = shared.lock();
    memory.log.authorize_requests += 1;
    if let Some(fault) = memory.faults.take(Point::Authorize, &form.plain(Some(&username))) {
        return Err(format!("the authorize page failed with status {}", fault.status.unwrap_or(400)));
    }
    let callback = match Asked::read(shared, &memory, tenant, &form, &trace) {
        Ok(asked) => asked.decide(shared, &mut memory, &username, decision, &trace),
        Err(Problem::Callback(callback)) => callback,
        Err(Problem::Page(error)) => {
            return Err(error.description(shared.dialect, &memory, &trace));
        }
    };
    Ok(callback)
}

async fn show(shared: &Shared, tenant: &str, query: &str, headers: &HeaderMap) -> Response {
    let form = Form::parse(query.as_bytes());
    let trace = Trace::of(headers);
    let fault = shared.take_fault(Point::Authorize, &form.plain(None));
    if let Some(fault) = &fault {
        http::pause(fault.delay).await;
    }
    let mut memory = shared.lock();
    memory.log.authorize_requests += 1;
    if let Some(instead) = fault.and_then(|fault| answer::instead(shared, &memory, &fault, &trace)) {
        return instead;
    }
    match Asked::read(shared, &memory, tenant, &form, &trace) {
        Ok(asked) => http::page(200, pages::sign_in(shared.dialect, &asked.application(), query, None)),
        Err(problem) => problem.answer(shared, &memory, &trace),
    }
}

fn submit(shared: &Shared, tenant: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    if http::is_cross_origin(headers) {
        return http::text(403, "another site's page cannot sign in here\n");
    }
    let sent = Form::parse(body);
    let query = sent.text("request").unwrap_or_default();
    let form = Form::parse(query.as_bytes());
    let trace = Trace::of(headers);
    let mut memory = shared.lock();
    let asked = match Asked::read(shared, &memory, tenant, &form, &trace) {
        Ok(asked) => asked,
        Err(problem) => return problem.answer(shared, &memory, &trace),
    };
    let decision = match sent.text("decision") {
        Some("approve") => Decision::Approve,
        _ => Decision::Deny,
    };
    let username = match (decision, address(sent.text("username").unwrap_or_default())) {
        (_, Ok(username)) => username,
        (Decision::Deny, Err(_)) => DEFAULT_USERNAME.to_owned(),
        (Decision::Approve, Err(problem)) => {
            let again = pages::sign_in(shared.dialect, &asked.application(), query, Some(&problem));
            return http::page(400, again);
        }
    };
    asked.decide(shared, &mut memory, &username, decision, &trace).answer()
}

/// Why there is nothing to decide.
enum Problem {
    /// The client or its redirect URI cannot be trusted: tell the person, not the client (RFC 6749 §4.1.2.1).
    Page(OauthError),
    /// Tell the client.
    Callback(Callback),
}

impl Problem {
    fn answer(self, shared: &Shared, memory: &Memory, trace: &Trace) -> Response {
        match self {
            Self::Callback(callback) => callback.answer(),
            Self::Page(error) => {
                let text = error.description(shared.dialect, memory, trace);
                http::page(400, pages::refused(error.error(shared.dialect), &text))
            }
        }
    }
}

/// How the answer travels (OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Query,
    Fragment,
    FormPost,
}

/// A sound authorization request.
struct Asked {
    tenant: Tenant,
    client_id: String,
    scope: String,
    login_hint: Option<String>,
    redirect_uri: String,
    mode: Mode,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<Challenge>,
    offline: bool,
}

impl Asked {
    fn read(
        shared: &Shared,
        memory: &Memory,
        tenant_name: &str,
        form: &Form,
        trace: &Trace,
    ) -> Result<Self, Problem> {
        let dialect = shared.dialect;
        let tenant = Tenant::named(tenant_name)
            .ok_or_else(|| Problem::Page(OauthError::unknown_tenant(tenant_name)))?;
        let client_id = form.required("client_id").map_err(Problem::Page)?;
        let client = client::find(client_id, tenant_name).map_err(Problem::Page)?;
        let redirect_uri = form.required("redirect_uri").map_err(Problem::Page)?;
        if !client::redirect_is_registered(memory, dialect, redirect_uri) {
            return Err(Problem::Page(OauthError::redirect_mismatch(redirect_uri, client_id)));
        }
        let mut asked = Self {
            tenant,
            client_id: client.id,
            scope: form.text("scope").unwrap_or_default().to_owned(),
            login_hint: form.text("login_hint").map(str::to_owned),
            redirect_uri: redirect_uri.to_owned(),
            mode: Mode::Query,
            state: form.text("state").map(str::to_owned),
            nonce: form.text("nonce").map(str::to_owned),
            challenge: None,
            offline: false,
        };
        match asked.check(shared, form) {
            Ok(()) => Ok(asked),
            Err(error) => Err(Problem::Callback(asked.refusal(shared, memory, &error, trace))),
        }
    }

    fn application(&self) -> Application<'_> {
        Application { client_id: &self.client_id, scope: &self.scope, login_hint: self.login_hint.as_deref() }
    }

    /// What the client may be told about.
    fn check(&mut self, shared: &Shared, form: &Form) -> Result<(), OauthError> {
        self.mode = match form.text("response_mode") {
            None | Some("query") => Mode::Query,
            Some("fragment") => Mode::Fragment,
            Some("form_post") => Mode::FormPost,
            Some(_) => return Err(OauthError::malformed()),
        };
        if form.required("response_type")? != "code" {
            return Err(OauthError::unsupported_response_type());
        }
        let scopes = Scopes::parse(shared.dialect, form.required("scope")?)?;
        self.offline = match shared.dialect {
            Dialect::Microsoft => scopes.has("offline_access"),
            Dialect::Google => form.text("access_type") == Some("offline"),
        };
        self.challenge = match (form.text("code_challenge"), form.text("code_challenge_method")) {
            (None, None) => None,
            (None, Some(_)) => return Err(OauthError::missing_parameter("code_challenge")),
            (Some(value), method) => Some(Challenge {
                value: value.to_owned(),
                hashed: match method {
                    Some("S256") => true,
                    None | Some("plain") => false,
                    Some(_) => return Err(OauthError::malformed()),
                },
            }),
        };
        // Nobody is ever signed in here before the page.
        if form.text("prompt") == Some("none") {
            return Err(OauthError::nobody_signed_in());
        }
        Ok(())
    }

    fn decide(
        self,
        shared: &Shared,
        memory: &mut Memory,
        username: &str,
        decision: Decision,
        trace: &Trace,
    ) -> Callback {
        if decision == Decision::Deny {
            return self.refusal(shared, memory, &OauthError::declined(), trace);
        }
        let name = match shared.dialect {
            Dialect::Microsoft => format!("1.A{}.{}", random::opaque(), random::opaque()),
            Dialect::Google => format!("4/0A{}", random::opaque()),
        };
        let mut callback = self.callback(shared, memory);
        callback.put("code", &name);
        match shared.dialect {
            Dialect::Microsoft => callback.put("session_state", &random::guid()),
            Dialect::Google => {
                callback.put("scope", &self.scope);
                callback.put("authuser", "0");
                callback.put("prompt", "consent");
            }
        }
        let code = Code {
            consent: Consent {
                client_id: self.client_id,
                tenant: self.tenant,
                username: username.to_owned(),
                scope: self.scope,
                nonce: self.nonce,
                offline: self.offline,
            },
            redirect_uri: self.redirect_uri,
            challenge: self.challenge,
            issued_at: memory.now(),
            redeemed: false,
            family: 0,
        };
        memory.grants.codes.insert(name, code);
        callback
    }

    fn refusal(&self, shared: &Shared, memory: &Memory, error: &OauthError, trace: &Trace) -> Callback {
        let mut callback = self.callback(shared, memory);
        callback.put("error", error.error(shared.dialect));
        if shared.dialect == Dialect::Microsoft {
            callback.put("error_description", &error.description(shared.dialect, memory, trace));
            if error.code == 65_004 {
                callback.put("error_subcode", "cancel");
            }
        }
        callback
    }

    /// `state`, and `iss` (RFC 9207) where the service sends it.
    fn callback(&self, shared: &Shared, memory: &Memory) -> Callback {
        let mut callback =
            Callback { redirect_uri: self.redirect_uri.clone(), mode: self.mode, fields: Vec::new() };
        if let Some(value) = &self.state {
            callback.put("state", value);
        }
        let usual = match shared.dialect {
            Dialect::Microsoft => "",
            Dialect::Google => GOOGLE_ISSUER,
        };
        let iss = memory.config.callback_iss.as_deref().unwrap_or(usual);
        if !iss.is_empty() {
            callback.put("iss", iss);
        }
        callback
    }
}

/// An answer to the client's redirect URI.
pub(crate) struct Callback {
    redirect_uri: String,
    mode: Mode,
    fields: Vec<(&'static str, String)>,
}

impl Callback {
    fn put(&mut self, name: &'static str, value: &str) {
        self.fields.push((name, value.to_owned()));
    }

    /// The address that a browser is sent to. An answer by `form_post` has its fields in the query here.
    pub(crate) fn url(&self) -> String {
        // It was parsed when it was compared with the registered ones.
        let Ok(mut url) = Url::parse(&self.redirect_uri) else {
            return self.redirect_uri.clone();
        };
        if self.mode == Mode::Fragment {
            let fields =
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish();
            url.set_fragment(Some(&fields));
        } else {
            url.query_pairs_mut().extend_pairs(&self.fields);
        }
        url.into()
    }

    /// Where to post the fields, for an answer by `form_post`.
    pub(crate) fn posted(&self) -> Option<(&str, &[(&'static str, String)])> {
        (self.mode == Mode::FormPost).then_some((self.redirect_uri.as_str(), self.fields.as_slice()))
    }

    fn answer(&self) -> Response {
        match self.mode {
            Mode::FormPost => pages::form_post(&self.redirect_uri, &self.fields),
            Mode::Query | Mode::Fragment => http::redirect(&self.url()),
        }
    }
}
