//! The emulator, for users' own tests.

use std::sync::Arc;
use std::time::Duration;

use mailbearer::config::{Spelling, parse_duration};
use mailbearer_cli::emulator::{Decision, Emulator, Fault, Options};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;
use serde_json::{Value, json};

/// A running emulator.
#[napi]
pub struct NativeEmulator {
    emulator: Option<Arc<Emulator>>,
}

#[napi]
impl NativeEmulator {
    /// Starts one.
    #[napi(factory)]
    pub fn start(options: Value) -> napi::Result<Self> {
        let options: Options = serde_json::from_value(options).map_err(text)?;
        let emulator = Emulator::start(options).map_err(text)?;
        Ok(Self { emulator: Some(Arc::new(emulator)) })
    }

    /// Where it is.
    #[napi]
    pub fn about(&self) -> napi::Result<Value> {
        let emulator = self.running()?;
        Ok(json!({
            "url": emulator.url(), "authority": emulator.authority(), "caFile": emulator.ca_file(),
            "smtpHost": emulator.smtp_host(), "smtpPort": emulator.smtp_port(), "smtpsPort": emulator.smtps_port(),
        }))
    }

    /// What it received, and the octets of each.
    #[napi(ts_return_type = "Array<[any, Buffer]>")]
    pub fn messages(&self) -> napi::Result<Vec<(Value, Buffer)>> {
        Ok(pairs(self.running()?.messages()))
    }

    /// Waits until there are as many.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn wait_for<'env>(
        &self,
        env: &'env Env,
        count: u32,
        timeout: String,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let emulator = self.running()?.clone();
        let timeout = parse_duration(&timeout).map_err(|why| text(format!("timeout: {why}")))?;
        env.spawn_future(async move {
            let waiting = move || emulator.wait_for(count as usize, timeout).map(drop);
            tokio::task::spawn_blocking(waiting).await.map_err(text)?.map_err(text)
        })
    }

    /// Forgets messages, log and faults.
    #[napi]
    pub fn clear(&self) -> napi::Result<()> {
        self.running().map(|emulator| emulator.clear())
    }

    /// Lets something go wrong.
    #[napi]
    pub fn fail(&self, mut fault: Value) -> napi::Result<()> {
        if let Some(delay) = fault.get_mut("delay") {
            *delay = delay_of(delay)?.as_secs_f64().into();
        }
        let fault: Fault = serde_json::from_value(fault).map_err(text)?;
        self.running()?.fail(fault).map_err(text)
    }

    /// Changes its configuration.
    #[napi]
    pub fn configure(&self, changes: Value) -> napi::Result<()> {
        self.running()?.configure(Spelling::Camel.to_core(changes)).map_err(text)
    }

    /// Signs a user in without a browser.
    #[napi]
    pub fn sign_in(&self, url: String, username: String, decision: Option<String>) -> napi::Result<String> {
        self.running()?.sign_in(&url, &username, decide(decision)?).map_err(text)
    }

    /// Answers for a device.
    #[napi]
    pub fn approve(&self, code: String, username: String, decision: Option<String>) -> napi::Result<()> {
        self.running()?.approve(&code, &username, decide(decision)?).map_err(text)
    }

    /// Revokes a user's refresh tokens.
    #[napi]
    pub fn revoke(&self, username: String) -> napi::Result<()> {
        self.running().map(|emulator| emulator.revoke(&username))
    }

    /// Refuses every access token issued so far.
    #[napi]
    pub fn expire_tokens(&self) -> napi::Result<()> {
        self.running().map(|emulator| emulator.expire_tokens())
    }

    /// A mailer's options.
    #[napi]
    pub fn settings(&self, grant: String, username: String) -> napi::Result<Value> {
        let settings = self.running()?.settings(&grant, &username).map_err(text)?;
        Ok(Spelling::Camel.from_core(settings))
    }

    /// The same as environment variables.
    #[napi]
    pub fn environ(&self, grant: String, username: String) -> napi::Result<Value> {
        let pairs = self.running()?.environ(&grant, &username).map_err(text)?;
        Ok(Value::Object(pairs.into_iter().map(|(name, value)| (name, value.into())).collect()))
    }

    /// What the servers saw.
    #[napi]
    pub fn seen(&self) -> napi::Result<Value> {
        Ok(self.running()?.seen())
    }

    /// Stops it.
    #[napi]
    pub fn close(&mut self) {
        self.emulator = None;
    }

    fn running(&self) -> napi::Result<&Arc<Emulator>> {
        self.emulator.as_ref().ok_or_else(|| text("the emulator was closed"))
    }
}

/// A duration with its unit, as everywhere.
fn delay_of(value: &Value) -> napi::Result<Duration> {
    let text_of = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    parse_duration(&text_of).map_err(|why| text(format!("delay: {why}")))
}

fn pairs(messages: Vec<mailbearer_cli::emulator::Received>) -> Vec<(Value, Buffer)> {
    let one = |m: mailbearer_cli::emulator::Received| {
        let about = json!({
            "mailFrom": m.mail_from, "rcptTo": m.rcpt_to, "username": m.username, "mechanism": m.mechanism,
        });
        (about, Buffer::from(m.raw))
    };
    messages.into_iter().map(one).collect()
}

fn decide(decision: Option<String>) -> napi::Result<Decision> {
    serde_json::from_value(decision.unwrap_or_else(|| "approve".into()).into()).map_err(text)
}

fn text(error: impl std::fmt::Display) -> napi::Error {
    napi::Error::from_reason(error.to_string())
}
