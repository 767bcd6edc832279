//! A sign-in under way.

use mailbearer::{Login, LoginRequest, to_rfc3339};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use serde_json::{Value, json};

use crate::call::NativeCall;
use crate::error::fail;
use crate::json::to_js;

/// A sign-in under way.
#[napi]
pub struct NativeLogin {
    login: Login,
}

#[napi]
impl NativeLogin {
    pub(crate) fn new(login: Login) -> Self {
        Self { login }
    }

    /// What there is to show.
    #[napi]
    pub fn about(&self) -> Value {
        json!({
            "method": self.login.method(),
            "url": self.login.url(),
            "userCode": self.login.user_code(),
            "message": self.login.message(),
            "state": self.login.state(),
            "expiresAt": to_rfc3339(self.login.expires_at()),
        })
    }

    /// Waits for the person.
    #[napi(ts_return_type = "Promise<any>")]
    pub fn wait<'env>(&self, env: &'env Env, call: &NativeCall) -> napi::Result<PromiseRaw<'env, Value>> {
        let (login, call) = (self.login.clone(), call.to_core()?);
        env.spawn_future(async move { login.wait(call).await.map(|a| to_js(&a)).map_err(fail) })
    }

    /// Ends it with what came back.
    #[napi(ts_return_type = "Promise<any>")]
    pub fn finish<'env>(
        &self,
        env: &'env Env,
        callback: Value,
        call: &NativeCall,
    ) -> napi::Result<PromiseRaw<'env, Value>> {
        let (login, call) = (self.login.clone(), call.to_core()?);
        env.spawn_future(async move { login.finish(&callback, call).await.map(|a| to_js(&a)).map_err(fail) })
    }

    /// As text.
    #[napi]
    pub fn save(&self) -> napi::Result<String> {
        self.login.save().map_err(fail)
    }

    /// Ends it.
    #[napi]
    pub fn cancel(&self) {
        self.login.cancel();
    }
}

/// What a sign-in is begun with.
pub(crate) fn request(given: &Value, call: &NativeCall) -> napi::Result<LoginRequest> {
    let text = |key: &str| given[key].as_str().map(str::to_owned);
    Ok(LoginRequest {
        method: text("method"),
        redirect_uri: text("redirectUri"),
        login_hint: text("loginHint"),
        open_browser: given["openBrowser"].as_bool().unwrap_or(false),
        call: call.to_core()?,
    })
}
