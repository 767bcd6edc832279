//! The token half.

use std::collections::BTreeMap;

use mailbearer::config::read_duration;
use mailbearer::{AccessToken, GetToken, TokenSource, to_rfc3339};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use serde_json::{Value, json};

use crate::call::NativeCall;
use crate::environment::{Lookup, environment};
use crate::error::fail;
use crate::host::{Asked, Told, host};
use crate::json::to_js;
use crate::load::load;
use crate::login::{self, NativeLogin};

/// A source of tokens.
#[napi]
pub struct NativeTokens {
    source: TokenSource,
}

#[napi]
impl NativeTokens {
    pub(crate) fn new(source: TokenSource) -> Self {
        Self { source }
    }

    /// From a mailer's options, and from a file or the environment if `from` says so.
    #[napi(factory)]
    pub fn open(
        options: Value,
        from: Option<Value>,
        variables: BTreeMap<String, String>,
        lookup: Lookup,
        token: Option<Asked>,
        store: Option<Asked>,
        events: Option<Told>,
    ) -> napi::Result<Self> {
        let mut host = host(environment(variables, lookup), token, store, events);
        let (options, persistent) = load(from.as_ref(), options).read(&host).map_err(fail)?;
        host.persistent |= persistent;
        TokenSource::new(options, host).map(Self::new).map_err(fail)
    }

    /// A fresh token from memory, or null.
    #[napi]
    pub fn cached(&self, min_remaining: Option<String>) -> napi::Result<Option<NativeToken>> {
        Ok(self.source.cached(duration(min_remaining)?).map(|token| NativeToken { token }))
    }

    /// Whether `token` is what `cached` would give: its caller has it already.
    #[napi]
    pub fn holds(&self, token: &NativeToken) -> bool {
        self.source.cached(None).is_some_and(|found| found.is_same(&token.token))
    }

    /// A token.
    #[napi(ts_return_type = "Promise<NativeToken>")]
    pub fn get<'env>(
        &self,
        env: &'env Env,
        force: bool,
        min_remaining: Option<String>,
        call: &NativeCall,
    ) -> napi::Result<PromiseRaw<'env, NativeToken>> {
        let source = self.source.clone();
        let request = GetToken { force, min_remaining: duration(min_remaining)?, call: call.to_core()? };
        env.spawn_future(
            async move { source.get(request).await.map(|token| NativeToken { token }).map_err(fail) },
        )
    }

    /// Marks a token as refused.
    #[napi]
    pub fn invalidate(&self, secret: String) {
        self.source.invalidate(&secret);
    }

    /// Begins a sign-in.
    #[napi(ts_return_type = "Promise<NativeLogin>")]
    pub fn login<'env>(
        &self,
        env: &'env Env,
        request: Value,
        call: &NativeCall,
    ) -> napi::Result<PromiseRaw<'env, NativeLogin>> {
        let (source, request) = (self.source.clone(), login::request(&request, call)?);
        env.spawn_future(async move { source.login(request).await.map(NativeLogin::new).map_err(fail) })
    }

    /// Goes on with a sign-in.
    #[napi]
    pub fn resume_login(&self, saved: String) -> napi::Result<NativeLogin> {
        self.source.resume_login(&saved).map(NativeLogin::new).map_err(fail)
    }

    /// Takes over another program's sign-in.
    #[napi(ts_return_type = "Promise<any>")]
    pub fn import_login<'env>(
        &self,
        env: &'env Env,
        text: String,
        call: &NativeCall,
    ) -> napi::Result<PromiseRaw<'env, Value>> {
        let (source, call) = (self.source.clone(), call.to_core()?);
        env.spawn_future(async move {
            source.import_login(&text, call).await.map(|account| to_js(&account)).map_err(fail)
        })
    }

    /// Forgets the tokens.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn logout<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let source = self.source.clone();
        env.spawn_future(async move { source.logout().await.map_err(fail) })
    }

    /// Who is signed in.
    #[napi]
    pub fn account(&self) -> Option<Value> {
        self.source.account().map(|account| to_js(&account))
    }

    /// Refuses further calls.
    #[napi]
    pub fn close(&self) {
        self.source.close();
    }
}

/// A token.
#[napi]
pub struct NativeToken {
    token: AccessToken,
}

#[napi]
impl NativeToken {
    /// The token itself.
    #[napi]
    pub fn secret(&self) -> &str {
        self.token.secret()
    }

    /// Everything but the secret.
    #[napi]
    pub fn about(&self) -> Value {
        json!({
            "username": self.token.username(),
            "scopes": self.token.scopes(),
            "expiresAt": self.token.expires_at().map(to_rfc3339),
            "claims": self.token.claims(),
        })
    }

    /// The XOAUTH2 response.
    #[napi]
    pub fn xoauth2(&self, username: Option<String>) -> napi::Result<String> {
        self.token.xoauth2(username.as_deref()).map_err(fail)
    }

    /// The same in base64.
    #[napi]
    pub fn xoauth2_base64(&self, username: Option<String>) -> napi::Result<String> {
        self.token.xoauth2_base64(username.as_deref()).map_err(fail)
    }

    /// The OAUTHBEARER response.
    #[napi]
    pub fn oauthbearer(&self, host: String, port: u16, username: Option<String>) -> napi::Result<String> {
        self.token.oauthbearer(&host, port, username.as_deref()).map_err(fail)
    }
}

fn duration(text: Option<String>) -> napi::Result<Option<std::time::Duration>> {
    text.map(|text| read_duration("minRemaining", &text)).transpose().map_err(fail)
}
