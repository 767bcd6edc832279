//! Endpoints by the service's own document (OpenID Connect Discovery 1.0 §4, RFC 8414 §3), for `custom`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use url::Url;

use super::service::Service;
use super::unanswered;
use crate::config::{Endpoints, ServiceAddress, Settings, parse_endpoint};
use crate::error::{Error, ErrorCode, Result};
use crate::fork::ForkCell;
use crate::net::http;
use crate::sync::lock;
use crate::text;

/// Documents that were read, by issuer.
#[derive(Default)]
pub(crate) struct Discovered(Mutex<HashMap<String, Document>>);

/// What an issuer says of itself. Whoever holds the lock asks it.
type Document = Arc<tokio::sync::Mutex<Option<(Instant, Result<Arc<Endpoints>>)>>>;

impl Discovered {
    fn document(&self, issuer: &Url) -> Document {
        let mut map = lock(&self.0);
        // A program names few; one that makes them up does not fill the memory.
        if map.len() >= MOST {
            map.retain(|_, document| Arc::strong_count(document) > 1);
        }
        map.entry(issuer.to_string()).or_default().clone()
    }
}

/// This process's documents.
pub(crate) fn discovered() -> &'static Discovered {
    static CELL: ForkCell<Discovered> = ForkCell::new();
    CELL.get(|_| Discovered::default())
}

impl<'a> Service<'a> {
    /// The endpoints: those configured, or what the issuer says of itself.
    ///
    /// # Errors
    /// `token_endpoint_unavailable` if there is no such document, or it is of somebody else.
    pub(crate) async fn endpoints(self, address: &'a ServiceAddress) -> Result<Cow<'a, Endpoints>> {
        let (issuer, overrides) = match address {
            ServiceAddress::Known(endpoints) => return Ok(Cow::Borrowed(endpoints)),
            ServiceAddress::Described { issuer, overrides } => (issuer, overrides),
        };
        let found = document(self.settings, issuer, Instant::now()).await?;
        // What is configured goes first.
        let or = |given: &Option<Url>, said: &Option<Url>| given.clone().or_else(|| said.clone());
        Ok(Cow::Owned(Endpoints {
            token: found.token.clone(),
            authorization: or(&overrides.authorization, &found.authorization),
            device_authorization: or(&overrides.device_authorization, &found.device_authorization),
            revocation: or(&overrides.revocation, &found.revocation),
            issuer: found.issuer.clone(),
            scopes_supported: found.scopes_supported.clone(),
            basic_only: found.basic_only,
            pushed_only: found.pushed_only,
        }))
    }
}

/// The document, asked for once by all who want it at once: those who wait share what comes, a failure too.
async fn document(settings: &Settings, issuer: &Url, began: Instant) -> Result<Arc<Endpoints>> {
    let document = discovered().document(issuer);
    // Whoever asks may stand on a runtime that nobody drives any more.
    let Ok(mut kept) = tokio::time::timeout(PATIENCE, document.lock()).await else {
        return read(settings, issuer).await.map(Arc::new);
    };
    match &*kept {
        Some((at, Ok(found))) if at.elapsed() < KEPT => return Ok(found.clone()),
        Some((at, Err(error))) if *at >= began => return Err(error.clone()),
        _ => {}
    }
    let outcome = read(settings, issuer).await.map(Arc::new);
    *kept = Some((Instant::now(), outcome.clone()));
    outcome
}

async fn read(settings: &Settings, issuer: &Url) -> Result<Endpoints> {
    let (mut missing, mut away) = (None, None);
    for url in places(issuer) {
        let answer = http::get_outside(settings.reach(), &url, &[]).await.map_err(unanswered)?;
        match serde_json::from_slice::<Map<String, Value>>(&answer.body) {
            Ok(document) if answer.status == 200 => return interpret(issuer, &document),
            _ if matches!(answer.status, 408 | 429 | 500..=599) => {
                let text = format!("{url} answered HTTP {}", answer.status);
                away.get_or_insert(
                    Error::new(ErrorCode::TokenEndpointUnavailable, text)
                        .with_retry_after(answer.retry_after),
                );
            }
            _ => missing = Some(url),
        }
    }
    if let Some(error) = away {
        return Err(error);
    }
    let tried = missing.map(|url| url.to_string()).unwrap_or_default();
    Err(Error::new(ErrorCode::TokenEndpointUnavailable, format!("{tried} is no discovery document"))
        .with_retryable(false)
        .with_hint("Set auth.authority to the issuer's URL, or name the endpoints themselves."))
}

/// Behind the issuer's path, as OpenID Connect has it; before it, as RFC 8414 has it; and behind it with RFC 8414's name,
/// where some services have it.
fn places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let mut paths = vec![
        format!("{path}/.well-known/openid-configuration"),
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("{path}/.well-known/oauth-authorization-server"),
    ];
    paths.dedup();
    paths
        .iter()
        .map(|path| {
            let mut url = issuer.clone();
            url.set_path(path);
            url
        })
        .collect()
}

fn interpret(issuer: &Url, document: &Map<String, Value>) -> Result<Endpoints> {
    let text = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let wrong = |what: String| {
        Error::new(ErrorCode::TokenEndpointUnavailable, format!("the discovery document of {issuer} {what}"))
            .with_retryable(false)
            .with_hint("Set auth.authority to the issuer's URL, exactly as the service writes it.")
    };
    let list = |name: &str| {
        let list = document.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>())
    };
    let said = text("issuer").unwrap_or_default();
    if said.trim_end_matches('/') != issuer.as_str().trim_end_matches('/') {
        let said = text::shown(said, 200);
        return Err(wrong(format!("is of another issuer, {said:?}")));
    }
    let endpoint = |name: &str| match text(name) {
        Some(url) => {
            let url = parse_endpoint(name, url).map_err(|error| wrong(error.message().to_owned()))?;
            // What it names is told secrets: somebody else's document does not send them to this machine.
            match url.scheme() == "https" || issuer.scheme() == "http" {
                true => Ok(Some(url)),
                false => Err(wrong(format!("names a {name} without https"))),
            }
        }
        None => Ok(None),
    };
    let token = endpoint("token_endpoint")?.ok_or_else(|| wrong("names no token_endpoint".into()))?;
    Ok(Endpoints {
        token,
        authorization: endpoint("authorization_endpoint")?,
        device_authorization: endpoint("device_authorization_endpoint")?,
        revocation: endpoint("revocation_endpoint")?,
        issuer: Some(said.to_owned()),
        scopes_supported: list("scopes_supported"),
        basic_only: list("token_endpoint_auth_methods_supported").is_some_and(|methods| {
            let has = |name: &str| methods.iter().any(|method| method == name);
            has("client_secret_basic") && !has("client_secret_post")
        }),
        pushed_only: document.get("require_pushed_authorization_requests") == Some(&Value::Bool(true)),
    })
}

/// Issuers at once.
const MOST: usize = 256;

/// Longer than the requests may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Services change their endpoints seldom.
const KEPT: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_document_is_looked_for_in_three_places() {
        let issuer = Url::parse("https://id.example/realms/a").unwrap();
        let places: Vec<_> = places(&issuer).iter().map(Url::to_string).collect();
        assert_eq!(
            places,
            [
                "https://id.example/realms/a/.well-known/openid-configuration",
                "https://id.example/.well-known/oauth-authorization-server/realms/a",
                "https://id.example/realms/a/.well-known/oauth-authorization-server"
            ]
        );
    }

    #[test]
    fn a_document_speaks_for_its_own_issuer_and_names_safe_places() {
        let issuer = Url::parse("https://id.example/").unwrap();
        let whole = json!({
            "issuer": "https://id.example", "token_endpoint": "https://id.example/t",
            "authorization_endpoint": "https://id.example/a", "revocation_endpoint": "https://id.example/r",
        });
        let found = interpret(&issuer, whole.as_object().unwrap()).unwrap();
        assert_eq!(found.token.as_str(), "https://id.example/t");
        assert!(found.device_authorization.is_none() && found.revocation.is_some());
        for (name, value, said) in [
            ("issuer", "https://evil.example", "another issuer"),
            ("token_endpoint", "http://id.example/t", "https"),
            ("token_endpoint", "http://127.0.0.1:8080/t", "https"),
            ("token_endpoint", "", "no token_endpoint"),
            ("authorization_endpoint", "javascript:alert(1)", "https"),
        ] {
            let mut document = whole.clone();
            document[name] = value.into();
            let error = interpret(&issuer, document.as_object().unwrap()).unwrap_err();
            assert!(error.to_string().contains(said), "{name}: {error}");
        }
    }
}
