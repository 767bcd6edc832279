//! The refusals, in Entra's words and in Google's.

use serde_json::{Value, json};

use crate::clock;
use crate::config::Dialect;
use crate::memory::Memory;
use crate::random;

/// A refusal: an OAuth error (RFC 6749 §5.2) with what each service says about it.
#[derive(Clone, Debug)]
pub(crate) struct OauthError {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    /// The number after `AADSTS`.
    pub(crate) code: u32,
    pub(crate) text: String,
    suberror: Option<&'static str>,
    google: Option<(u16, &'static str, &'static str)>,
}

impl OauthError {
    fn new(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self { status, error, code, text: text.into(), suberror: None, google: None }
    }

    fn google(mut self, status: u16, error: &'static str, text: &'static str) -> Self {
        self.google = Some((status, error, text));
        self
    }

    fn suberror(mut self, suberror: &'static str) -> Self {
        self.suberror = Some(suberror);
        self
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::new(
            400,
            "invalid_request",
            900_144,
            format!("The request body must contain the following parameter: '{name}'."),
        )
        .google(400, "invalid_request", "Missing required parameter.")
    }

    pub(crate) fn malformed() -> Self {
        Self::new(400, "invalid_request", 9_002_313, "Invalid request. Request is malformed or invalid.")
            .google(400, "invalid_request", "Bad Request")
    }

    pub(crate) fn unknown_tenant(tenant: &str) -> Self {
        Self::new(
            400,
            "invalid_request",
            90_002,
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
            ),
        )
    }

    /// An unknown tenant in the words of the discovery document's endpoint.
    pub(crate) fn undiscovered_tenant(tenant: &str) -> Self {
        Self { error: "invalid_tenant", ..Self::unknown_tenant(tenant) }
    }

    pub(crate) fn unknown_client(client_id: &str, tenant: &str) -> Self {
        Self::new(
            400,
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        )
        .google(401, "invalid_client", "The OAuth client was not found.")
    }

    pub(crate) fn wrong_secret(client_id: &str) -> Self {
        Self::new(
            401,
            "invalid_client",
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        )
        .google(401, "invalid_client", "Unauthorized")
    }

    pub(crate) fn missing_secret() -> Self {
        Self::new(
            401,
            "invalid_client",
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
        .google(400, "invalid_request", "client_secret is missing.")
    }

    pub(crate) fn secret_on_public_client() -> Self {
        Self::new(
            401,
            "invalid_client",
            700_025,
            "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
        )
        .google(401, "invalid_client", "Unauthorized")
    }

    /// A service account's assertion that Google does not take (RFC 7523 §3.1), in Google's words.
    pub(crate) fn service_account(text: &'static str) -> Self {
        Self::new(400, "invalid_grant", 50_027, text).google(400, "invalid_grant", text)
    }

    /// The service account may not speak for that mailbox.
    pub(crate) fn not_delegated() -> Self {
        const TEXT: &str = "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.";
        Self::new(401, "unauthorized_client", 50_027, TEXT).google(401, "unauthorized_client", TEXT)
    }

    pub(crate) fn bad_assertion() -> Self {
        Self::new(401, "invalid_client", 50_027, "JWT token is invalid or malformed.")
    }

    pub(crate) fn assertion_time() -> Self {
        Self::new(401, "invalid_client", 700_024, "Client assertion is not within its valid time range.")
    }

    pub(crate) fn assertion_audience(audience: &str) -> Self {
        Self::new(
            401,
            "invalid_client",
            50_027,
            format!("Invalid JWT token. AudienceUriValidationFailed: '{audience}'."),
        )
    }

    pub(crate) fn app_only_on_common(tenant: &str) -> Self {
        Self::new(
            400,
            "invalid_request",
            9_001_023,
            format!(
                "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint. (/{tenant} was used.)"
            ),
        )
    }

    pub(crate) fn app_only_scope(scope: &str) -> Self {
        Self::new(
            400,
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            ),
        )
    }

    pub(crate) fn bad_scope(scope: &str) -> Self {
        Self::new(
            400,
            "invalid_scope",
            70_011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            ),
        )
        .google(400, "invalid_scope", "Some requested scopes were invalid.")
    }

    pub(crate) fn unknown_resource(resource: &str) -> Self {
        Self::new(
            400,
            "invalid_resource",
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant named Contoso. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
            ),
        )
    }

    pub(crate) fn several_resources(scope: &str) -> Self {
        Self::new(
            400,
            "invalid_request",
            28_000,
            format!(
                "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {scope} is not valid."
            ),
        )
    }

    pub(crate) fn unsupported_grant(grant: &str) -> Self {
        Self::new(
            400,
            "unsupported_grant_type",
            70_003,
            format!("The app requested an unsupported grant type '{grant}'."),
        )
        .google(400, "unsupported_grant_type", "Invalid grant_type")
    }

    pub(crate) fn unsupported_response_type() -> Self {
        Self::new(
            400,
            "unsupported_response_type",
            700_051,
            "The response_type requested is not enabled for the application; only 'code' is.",
        )
    }

    pub(crate) fn redirect_mismatch(redirect_uri: &str, client_id: &str) -> Self {
        Self::new(
            400,
            "invalid_request",
            50_011,
            format!(
                "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured for the application '{client_id}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal."
            ),
        )
        .google(400, "redirect_uri_mismatch", "Bad Request")
    }

    pub(crate) fn redirect_differs(redirect_uri: &str, first: &str) -> Self {
        Self::new(
            400,
            "invalid_client",
            500_112,
            format!(
                "The reply address '{redirect_uri}' does not match the reply address '{first}' provided when requesting Authorization code."
            ),
        )
        .google(400, "redirect_uri_mismatch", "Bad Request")
    }

    pub(crate) fn nobody_signed_in() -> Self {
        Self::new(
            400,
            "interaction_required",
            50_058,
            "A silent sign-in request was sent but no user is signed in.",
        )
    }

    pub(crate) fn declined() -> Self {
        Self::new(400, "access_denied", 65_004, "User declined to consent to access the app.")
            .suberror("cancel")
            .google(403, "access_denied", "Forbidden")
    }

    pub(crate) fn bad_code() -> Self {
        Self::new(
            400,
            "invalid_grant",
            70_000,
            "Provided grant is invalid or malformed: the provided value for the 'code' parameter is not valid.",
        )
        .google(400, "invalid_grant", "Malformed auth code.")
    }

    pub(crate) fn expired_code() -> Self {
        Self::new(
            400,
            "invalid_grant",
            70_008,
            "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
        )
        .google(400, "invalid_grant", "Bad Request")
    }

    pub(crate) fn used_code() -> Self {
        Self::new(
            400,
            "invalid_grant",
            54_005,
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
        )
        .google(400, "invalid_grant", "Bad Request")
    }

    pub(crate) fn other_tenant() -> Self {
        Self::new(
            400,
            "invalid_grant",
            700_005,
            "Provided Authorization Code is intended to use against other tenant, thus rejected.",
        )
    }

    pub(crate) fn pkce() -> Self {
        Self::new(
            400,
            "invalid_grant",
            501_481,
            "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
        )
        .google(400, "invalid_grant", "Invalid code verifier.")
    }

    pub(crate) fn revoked(now: f64, issued: f64) -> Self {
        Self::new(
            400,
            "invalid_grant",
            50_173,
            format!(
                "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '{}' and the TokensValidFrom date (before which tokens are not valid) for this user is '{}'.",
                clock::exchange(issued),
                clock::exchange(now)
            ),
        )
        .suberror("bad_token")
        .google(400, "invalid_grant", "Token has been expired or revoked.")
    }

    pub(crate) fn bad_refresh_token() -> Self {
        Self::new(400, "invalid_grant", 9_002_313, "Invalid request. Request is malformed or invalid.")
            .google(400, "invalid_grant", "Bad Request")
    }

    pub(crate) fn other_client() -> Self {
        Self::new(
            400,
            "invalid_grant",
            70_000,
            "Provided grant is invalid or malformed: it was issued to another client.",
        )
        .suberror("client_mismatch")
        .google(401, "unauthorized_client", "Unauthorized")
    }

    pub(crate) fn device_pending() -> Self {
        Self::new(
            400,
            "authorization_pending",
            70_016,
            "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
        )
        .google(428, "authorization_pending", "Precondition Required")
    }

    pub(crate) fn slow_down() -> Self {
        Self::new(
            400,
            "slow_down",
            70_016,
            "OAuth 2.0 device flow error. Polling too often; poll less often from now on.",
        )
        .google(403, "slow_down", "Forbidden")
    }

    pub(crate) fn device_declined() -> Self {
        Self::new(
            400,
            "authorization_declined",
            70_017,
            "OAuth 2.0 device flow error. The user declined the request.",
        )
        .google(403, "access_denied", "Forbidden")
    }

    pub(crate) fn device_expired() -> Self {
        Self::new(
            400,
            "expired_token",
            70_020,
            "The provided value for the input parameter 'device_code' is not valid. This code has expired.",
        )
        .google(400, "expired_token", "Bad Request")
    }

    pub(crate) fn bad_device_code() -> Self {
        Self::new(
            400,
            "bad_verification_code",
            70_018,
            "Bad verification code. User typed in a wrong user code for device code flow.",
        )
        .google(400, "invalid_grant", "Malformed device code.")
    }

    /// What a fault with a status and no body says.
    pub(crate) fn scripted(status: u16) -> Self {
        match status {
            401 => Self::wrong_secret(crate::defaults::DEFAULT_CLIENT_ID),
            429 => Self::new(429, "temporarily_unavailable", 90_055, "There are too many incoming requests."),
            500.. => Self::new(
                status,
                "temporarily_unavailable",
                90_033,
                "A transient error has occurred. Please try again.",
            ),
            _ => Self { status, ..Self::malformed() },
        }
    }

    pub(crate) fn status(&self, dialect: Dialect) -> u16 {
        match (dialect, self.google) {
            (Dialect::Google, Some((status, ..))) => status,
            _ => self.status,
        }
    }

    pub(crate) fn error(&self, dialect: Dialect) -> &'static str {
        match (dialect, self.google) {
            (Dialect::Google, Some((_, error, _))) => error,
            _ => self.error,
        }
    }

    /// `AADSTS…: …` with its trailer, or Google's short sentence.
    pub(crate) fn description(&self, dialect: Dialect, memory: &Memory, trace: &Trace) -> String {
        if dialect == Dialect::Google {
            return self.google.map_or_else(|| self.text.clone(), |(_, _, text)| text.to_owned());
        }
        let gap = if memory.config.crlf_descriptions { "\r\n" } else { " " };
        format!(
            "AADSTS{}: {}{gap}Trace ID: {}{gap}Correlation ID: {}{gap}Timestamp: {}",
            self.code,
            self.text,
            trace.id,
            trace.correlation,
            clock::entra(memory.now())
        )
    }

    /// The body of the answer.
    pub(crate) fn body(&self, dialect: Dialect, memory: &Memory, trace: &Trace) -> Value {
        let error = self.error(dialect);
        let description = self.description(dialect, memory, trace);
        if dialect == Dialect::Google {
            return json!({"error": error, "error_description": description});
        }
        let mut body = json!({
            "error": error, "error_description": description, "error_codes": [self.code],
            "timestamp": clock::entra(memory.now()), "trace_id": trace.id,
            "correlation_id": trace.correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        if let Some(suberror) = self.suberror {
            body["suberror"] = suberror.into();
        }
        body
    }
}

/// The ids by which Microsoft finds a request again.
pub(crate) struct Trace {
    pub(crate) id: String,
    pub(crate) correlation: String,
}

impl Trace {
    /// With the caller's `client-request-id`, if it sent one.
    pub(crate) fn of(headers: &axum::http::HeaderMap) -> Self {
        let sent = headers
            .get("client-request-id")
            .and_then(|value| value.to_str().ok())
            .filter(|id| id.len() == 36 && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-'));
        Self { id: random::guid(), correlation: sent.map_or_else(random::guid, str::to_owned) }
    }
}
