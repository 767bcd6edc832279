//! Tokens of the machine's own identity: Azure's managed identities, and Google's service accounts of machines.
//!
//! Nothing secret is configured: a service that only this machine reaches gives the token. It is never asked
//! through a proxy. Sources: Microsoft, "How managed identities for Azure resources work with virtual machines",
//! "Use managed identities for App Service and Azure Functions", "Authenticate against Azure resources with Azure
//! Arc-enabled servers"; Google, "Authenticate workloads to Google Cloud APIs using service accounts".

use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::Url;

use super::answer::{Granted, TokenAnswer, seconds};
use super::service::Service;
use super::unanswered;
use crate::config::{Identity, IdentityService};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::net::http::{self, HttpAnswer};
use crate::text;

impl IdentityService {
    /// Where and how it is asked.
    fn question(&self, scopes: &[String], identity: &Identity) -> (Url, Vec<(&'static str, Secret)>) {
        let flag = |name| vec![(name, Secret::new("true"))];
        // One resource, without the suffix that v2 scopes have.
        let resource = scopes.first().map(|scope| scope.trim_end_matches("/.default")).unwrap_or_default();
        let (url, headers, version, names) = match self {
            Self::Google(url) => {
                let mut url = url.clone();
                url.query_pairs_mut().append_pair("scopes", &scopes.join(","));
                return (url, vec![("Metadata-Flavor", Secret::new("Google"))]);
            }
            Self::Imds(url) => {
                (url, flag("Metadata"), "2018-02-01", ["client_id", "object_id", "msi_res_id"])
            }
            Self::AppService(url, header) => (
                url,
                vec![("X-IDENTITY-HEADER", header.clone())],
                "2019-08-01",
                ["client_id", "object_id", "mi_res_id"],
            ),
            Self::MachineLearning(url, secret) => {
                (url, vec![("secret", secret.clone())], "2017-09-01", ["clientid", "object_id", "mi_res_id"])
            }
            Self::Arc(url) => (url, flag("Metadata"), "2020-06-01", ["client_id", "object_id", "msi_res_id"]),
            // The application has one identity: none is named.
            Self::ServiceFabric(url, secret, _) => {
                (url, vec![("secret", secret.clone())], "2019-07-01-preview", ["client_id"; 3])
            }
        };
        let mut url = url.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("api-version", version).append_pair("resource", resource);
            match identity {
                Identity::System => {}
                Identity::Client(id) => drop(query.append_pair(names[0], id)),
                Identity::Object(id) => drop(query.append_pair(names[1], id)),
                Identity::Resource(id) => drop(query.append_pair(names[2], id)),
            }
        }
        (url, headers)
    }
}

impl Service<'_> {
    /// A token of the machine's own identity.
    ///
    /// # Errors
    /// `token_endpoint_unavailable` if nobody answers, or not now; `client_rejected` if there is no such identity.
    pub(crate) async fn managed_identity(
        self,
        service: &IdentityService,
        identity: &Identity,
    ) -> Result<TokenAnswer> {
        let Self { settings, auth } = self;
        let (url, mut headers) = service.question(&auth.scopes, identity);
        let pinned = match service {
            IdentityService::ServiceFabric(_, _, thumbprint) => Some(*thumbprint),
            _ => None,
        };
        let mut answer = http::get(settings.reach(), &url, &headers, pinned)
            .await
            .map_err(unanswered)
            .map_err(|error| {
                error.with_hint(
                    "Use this grant only on a machine in Azure or Google Cloud that has an identity.",
                )
            })?;
        if let (IdentityService::Arc(_), 401) = (service, answer.status) {
            headers.push(("Authorization", arc_key(&answer)?));
            answer = http::get(settings.reach(), &url, &headers, None).await.map_err(unanswered)?;
        }
        read(&answer, SystemTime::now())
    }
}

fn read(answer: &HttpAnswer, now: SystemTime) -> Result<TokenAnswer> {
    let map: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        let said = ["error_description", "message", "error"].iter().find_map(|key| map.get(*key)?.as_str());
        let said = text::shown(said.unwrap_or("no words"), 300);
        let text = format!("the machine's identity service says {}: {said}", answer.status);
        return Err(match answer.status {
            404 | 408 | 410 | 429 | 500..=599 => {
                Error::new(ErrorCode::TokenEndpointUnavailable, text).with_retry_after(answer.retry_after)
            }
            _ => Error::new(ErrorCode::ClientRejected, text).with_hint(
                "Assign a managed identity to this resource. If it has several, name one with auth.identity_client_id.",
            ),
        });
    }
    let mut map = map;
    // An instant, as text, where others have a lifetime.
    if !map.contains_key("expires_in")
        && let Some(at) = seconds(map.get("expires_on"))
    {
        let left = (SystemTime::UNIX_EPOCH + at).duration_since(now).unwrap_or_default();
        map.insert("expires_in".to_owned(), left.as_secs().into());
    }
    let token = Granted::from(map).read()?;
    // As Azure's own clients do: half of a long life is enough.
    let long = token.expires_in >= Duration::from_secs(7200) && token.refresh_in.is_none();
    let refresh_in = if long { Some(token.expires_in / 2) } else { token.refresh_in };
    Ok(TokenAnswer { refresh_in, ..token })
}

/// Arc's service names a file that only those in its group may read.
fn arc_key(answer: &HttpAnswer) -> Result<Secret> {
    let failed = |what: &str| {
        Error::new(ErrorCode::ClientRejected, format!("Azure Arc's identity service {what}"))
            .with_hint("Add this program's user to the group himds, then start it anew.")
    };
    let path = answer.challenge.as_deref().and_then(|text| text.strip_prefix("Basic realm="));
    let path = Path::new(path.ok_or_else(|| failed("names no key"))?.trim().trim_matches('"'));
    let folder = match cfg!(windows) {
        true => "C:\\ProgramData\\AzureConnectedMachineAgent\\Tokens",
        false => "/var/opt/azcmagent/tokens",
    };
    // Whoever listens there could have any file read to it otherwise.
    if path.parent() != Some(Path::new(folder)) || path.extension().is_none_or(|end| end != "key") {
        return Err(failed("names a key in another place than its own"));
    }
    let key = std::fs::read(path).map_err(|e| failed(&format!("names a key that cannot be read: {e}")))?;
    if key.len() > 4096 {
        return Err(failed("names a key that is too large"));
    }
    Ok(Secret::new(format!("Basic {}", STANDARD.encode(key))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Family;

    fn detect(environment: &[(&str, &str)]) -> Result<IdentityService, String> {
        IdentityService::detect(Family::Microsoft, |name| {
            environment.iter().find(|(n, _)| *n == name).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn each_platform_is_known_by_its_environment_and_asked_in_its_own_words() {
        let scopes = ["https://outlook.office365.com/.default".to_owned()];
        let client = Identity::Client("id 1".into());
        let endpoint = ("IDENTITY_ENDPOINT", "http://127.0.0.1:41000/msi/token");
        for (environment, identity, wanted, header) in [
            (
                &[][..],
                &client,
                "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Foutlook.office365.com&client_id=id+1",
                "Metadata: true",
            ),
            (
                &[endpoint, ("IDENTITY_HEADER", "h")],
                &Identity::Resource("/r".into()),
                "http://127.0.0.1:41000/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Foutlook.office365.com&mi_res_id=%2Fr",
                "X-IDENTITY-HEADER: h",
            ),
            (
                &[("MSI_ENDPOINT", "http://127.0.0.1:1/t"), ("MSI_SECRET", "s")],
                &client,
                "http://127.0.0.1:1/t?api-version=2017-09-01&resource=https%3A%2F%2Foutlook.office365.com&clientid=id+1",
                "secret: s",
            ),
            (
                &[endpoint, ("IMDS_ENDPOINT", "http://localhost:40342")],
                &Identity::System,
                "http://127.0.0.1:41000/msi/token?api-version=2020-06-01&resource=https%3A%2F%2Foutlook.office365.com",
                "Metadata: true",
            ),
        ] {
            let (url, headers) = detect(environment).unwrap().question(&scopes, identity);
            assert_eq!(url.as_str(), wanted);
            assert_eq!(format!("{}: {}", headers[0].0, headers[0].1.expose()), header);
        }
        let google = IdentityService::detect(Family::Google, |_| None).unwrap();
        let (url, _) = google.question(&["https://mail.google.com/".to_owned()], &Identity::System);
        assert!(url.as_str().ends_with("/default/token?scopes=https%3A%2F%2Fmail.google.com%2F"));
        let print = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff";
        let fabric = |print| [endpoint, ("IDENTITY_HEADER", "h"), ("IDENTITY_SERVER_THUMBPRINT", print)];
        let (url, headers) = detect(&fabric(print)).unwrap().question(&scopes, &Identity::System);
        assert!(url.query().unwrap().starts_with("api-version=2019-07-01-preview&resource="), "{url}");
        assert_eq!((headers[0].0, headers[0].1.expose()), ("secret", "h"));
        assert!(detect(&fabric("t")).unwrap_err().contains("THUMBPRINT"));
        assert!(detect(&[("IDENTITY_ENDPOINT", "not a url")]).is_err());
        let shown = format!("{:?}", detect(&[endpoint, ("IDENTITY_HEADER", "hunter2")]).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    fn answer(status: u16, body: &str) -> HttpAnswer {
        HttpAnswer {
            status,
            retry_after: None,
            location: None,
            challenge: None,
            content_type: "application/json".into(),
            body: zeroize::Zeroizing::new(body.as_bytes().to_vec()),
        }
    }

    #[test]
    fn lifetimes_come_as_numbers_texts_and_instants() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (body, lifetime, refresh) in [
            (r#"{"access_token": "t", "expires_in": "86400"}"#, 86_400, Some(43_200)),
            (r#"{"access_token": "t", "expires_on": "1003600"}"#, 3600, None),
            (r#"{"access_token": "t", "expires_in": 3599, "token_type": "Bearer"}"#, 3599, None),
        ] {
            let token = read(&answer(200, body), now).unwrap();
            assert_eq!(token.expires_in.as_secs(), lifetime, "{body}");
            assert_eq!(token.refresh_in.map(|d| d.as_secs()), refresh, "{body}");
        }
    }

    #[test]
    fn refusals_say_what_to_do_and_absence_passes() {
        let now = SystemTime::now();
        let missing = r#"{"error": "invalid_request", "error_description": "Identity not found"}"#;
        let error = read(&answer(400, missing), now).unwrap_err();
        assert_eq!((error.code(), error.retryable()), (ErrorCode::ClientRejected, false));
        assert!(error.message().contains("Identity not found") && error.hint().unwrap().contains("Assign"));
        for status in [404, 410, 429, 500, 503] {
            let error = read(&answer(status, "<html>"), now).unwrap_err();
            assert_eq!((error.code(), error.retryable()), (ErrorCode::TokenEndpointUnavailable, true));
        }
    }

    #[test]
    fn arcs_key_is_taken_from_its_own_folder_alone() {
        for realm in
            ["/etc/shadow", "/var/opt/azcmagent/tokens/../x.key", "/var/opt/azcmagent/tokens/x.pem", ""]
        {
            let challenged =
                HttpAnswer { challenge: Some(format!("Basic realm={realm}")), ..answer(401, "") };
            let error = arc_key(&challenged).unwrap_err();
            assert!(error.message().contains("another place"), "{realm}: {error}");
        }
        assert!(arc_key(&answer(401, "")).unwrap_err().message().contains("names no key"));
    }
}
