//! Access tokens: how they are made, and how the SMTP server judges them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Dialect;
use crate::defaults::{DEFAULT_CLIENT_ID, DEFAULT_TENANT_ID, DEFAULT_USERNAME};
use crate::grant::Access;
use crate::keys::Keys;
use crate::memory::Memory;
use crate::random;
use crate::tenant::{CONSUMERS_ID, object_id};

/// The audiences that Exchange Online answers to.
const EXCHANGE: [&str; 4] = [
    "https://outlook.office365.com",
    "https://outlook.office.com",
    "https://outlook.office365.us",
    "https://partner.outlook.cn",
];

/// The one scope with which Gmail lets a program send over SMTP.
pub(crate) const GOOGLE_MAIL: &str = "https://mail.google.com/";

/// What a token made for a test looks like. Without changes it is a good one.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mint {
    /// The user. An app-only token names no user.
    pub username: String,
    /// App-only, with `roles` instead of `scp`. Default false.
    pub app_only: bool,
    /// Default `https://outlook.office.com` (app-only: `https://outlook.office365.com`).
    pub audience: Option<String>,
    /// Scopes or roles, separated by spaces; `""` for none. Default what sending over SMTP takes.
    pub scope: Option<String>,
    /// Seconds from now until it expires; negative for a token that has expired. Default the configured lifetime.
    pub lifetime: Option<i64>,
}

impl Default for Mint {
    fn default() -> Self {
        Self {
            username: DEFAULT_USERNAME.into(),
            app_only: false,
            audience: None,
            scope: None,
            lifetime: None,
        }
    }
}

/// What goes into an access token.
pub(crate) struct Claims {
    pub(crate) client_id: String,
    pub(crate) tenant_id: &'static str,
    /// None for an app-only token.
    pub(crate) username: Option<String>,
    pub(crate) audience: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) lifetime: i64,
}

impl Mint {
    pub(crate) fn claims(self, dialect: Dialect, lifetime: u64) -> Claims {
        let scope = self.scope.unwrap_or_else(|| {
            match (dialect, self.app_only) {
                (Dialect::Google, _) => GOOGLE_MAIL,
                (Dialect::Microsoft, true) => "SMTP.SendAsApp",
                (Dialect::Microsoft, false) => "SMTP.Send",
            }
            .to_owned()
        });
        let exchange = EXCHANGE[usize::from(!self.app_only)];
        Claims {
            client_id: DEFAULT_CLIENT_ID.into(),
            tenant_id: DEFAULT_TENANT_ID,
            username: (!self.app_only).then_some(self.username),
            audience: self.audience.unwrap_or_else(|| exchange.to_owned()),
            scopes: scope.split_whitespace().map(str::to_owned).collect(),
            lifetime: self.lifetime.unwrap_or_else(|| {
                // A lifetime of more than 2^63 seconds is as good as the longest.
                i64::try_from(lifetime).unwrap_or(i64::MAX)
            }),
        }
    }
}

/// Makes an access token: a JWT as Entra's, opaque for Google and for personal Microsoft accounts.
pub(crate) fn issue(memory: &mut Memory, keys: &Keys, dialect: Dialect, claims: &Claims) -> String {
    let now = memory.now();
    let id = memory.grants.next_token();
    let access = Access {
        id,
        username: claims.username.clone(),
        scopes: claims.scopes.clone(),
        expires_at: now + claims.lifetime as f64,
    };
    if dialect == Dialect::Google || claims.tenant_id == CONSUMERS_ID {
        let prefix = match dialect {
            Dialect::Google => "ya29.a0",
            Dialect::Microsoft => "EwB4A8l6BAAU",
        };
        let mut token = format!("{prefix}{}", random::opaque());
        while token.len() < memory.config.token_padding {
            token.push_str(&random::opaque());
        }
        memory.grants.access.insert(token.clone(), access);
        return token;
    }
    let uti = random::opaque()[..22].to_owned();
    let token = keys.sign(&entra_claims(claims, now as i64, &uti, memory.config.token_padding));
    memory.grants.access.insert(uti, access);
    token
}

/// Whether this token lets `username` send. Gives the token's number in either case, 0 for a stranger's.
pub(crate) fn check(memory: &Memory, keys: &Keys, token: &str, username: &str) -> Result<usize, usize> {
    let now = memory.now();
    if let Some(access) = memory.grants.access.find(token) {
        let sends =
            access.scopes.iter().any(|scope| scope == GOOGLE_MAIL || scope.eq_ignore_ascii_case("SMTP.Send"));
        let same = access.username.as_ref().is_some_and(|user| user.eq_ignore_ascii_case(username));
        let live = access.expires_at > now && access.id > memory.grants.expired_through;
        return if sends && same && live { Ok(access.id) } else { Err(access.id) };
    }
    let Some(claims) = keys.verify(token) else {
        return Err(0);
    };
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    let id = memory.grants.access.find(text("uti")).map_or(0, |access| access.id);
    let audience = text("aud").trim_end_matches('/');
    let allowed = match claims["roles"].as_array() {
        // An app-only token may send as any mailbox.
        Some(roles) => roles.iter().any(|role| role == "SMTP.SendAsApp"),
        None => {
            text("upn").eq_ignore_ascii_case(username)
                && text("scp").split(' ').any(|scope| scope == "SMTP.Send")
        }
    };
    let moment = |name: &str| claims[name].as_f64().unwrap_or_default();
    let good = EXCHANGE.contains(&audience)
        && allowed
        && moment("exp") > now
        // Entra's own clocks differ by minutes; so much is forgiven.
        && moment("nbf") <= now + 300.0
        && id > memory.grants.expired_through;
    if good { Ok(id) } else { Err(id) }
}

/// Seconds. Entra dates its tokens back, so that a checker's clock may be late. (One that
/// is late by a millisecond refuses a token of this very second.)
pub(crate) const BACKDATED: i64 = 300;

/// The claims of a v1.0 token, which is what Exchange's tokens still are.
fn entra_claims(claims: &Claims, now: i64, uti: &str, padding: usize) -> Value {
    let mut all = json!({
        "aud": claims.audience,
        "iss": format!("https://sts.windows.net/{}/", claims.tenant_id),
        "iat": now - BACKDATED, "nbf": now - BACKDATED, "exp": now.saturating_add(claims.lifetime),
        "aio": random::opaque(), "app_displayname": "mailbearer emulator", "appid": claims.client_id,
        "appidacr": if claims.username.is_some() { "0" } else { "1" },
        "idp": format!("https://sts.windows.net/{}/", claims.tenant_id),
        "rh": format!("1.{}", random::opaque()),
        "tid": claims.tenant_id, "uti": uti, "ver": "1.0",
        // Real tokens carry some hundred octets more of claims than a client has any use for.
        "xms_fill": "x".repeat(padding),
    });
    let own = match &claims.username {
        Some(username) => json!({
            "acct": 0, "acr": "1", "amr": ["pwd", "mfa"], "ipaddr": "127.0.0.1",
            "name": display_name(username), "oid": object_id(username),
            "scp": claims.scopes.join(" "), "sub": random::guid_of(&format!("{username} at exchange")),
            "unique_name": username, "upn": username,
        }),
        None => {
            let oid = object_id(&claims.client_id);
            json!({"idtyp": "app", "oid": oid, "roles": claims.scopes, "sub": oid})
        }
    };
    if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
        all.extend(own);
    }
    all
}

/// A name to show for an address: `Ada` for `ada@contoso.com`.
pub(crate) fn display_name(username: &str) -> String {
    let local = username.split('@').next().unwrap_or_default();
    let mut letters = local.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => username.to_owned(),
    }
}
