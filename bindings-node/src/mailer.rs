//! The mailer.

use std::collections::BTreeMap;

use mailbearer::config::{MailboxOption, read_duration};
use mailbearer::{Error, Mailer, VerifyRequest};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;
use serde_json::Value;

use crate::bulk::NativeBulk;
use crate::call::NativeCall;
use crate::environment::{Lookup, environment};
use crate::error::fail;
use crate::host::{Asked, Told, host};
use crate::json::{to_js, to_json};
use crate::load::load;
use crate::login::{self, NativeLogin};
use crate::message::{Pull, message};
use crate::spool::NativeSpool;
use crate::tokens::NativeTokens;

/// A mailer.
#[napi]
pub struct NativeMailer {
    mailer: Mailer,
}

#[napi]
impl NativeMailer {
    /// From options, and from a file or the environment if `from` says so.
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
        let host = host(environment(variables, lookup), token, store, events);
        let mailer = Mailer::load(load(from.as_ref(), options), host);
        Ok(Self { mailer: mailer.map_err(fail)? })
    }

    /// Sends one message.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn send<'env>(
        &self,
        env: &'env Env,
        fields: String,
        blobs: Vec<Buffer>,
        streams: Vec<Pull>,
        spool: Option<&NativeSpool>,
        call: &NativeCall,
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let (mailer, call) = (self.mailer.clone(), call.to_core()?);
        let message = message(&mailer, &fields, &blobs, streams, spool);
        let message = message.map_err(|error| fail(mailer.refuse(error)))?;
        env.spawn_future(async move { mailer.send(&message, call).await.map(|r| to_json(&r)).map_err(fail) })
    }

    /// Counts and tells a message that was to be sent and could not even be read; `error` is a `MailError`'s JSON.
    #[napi]
    pub fn refuse(&self, error: Value) {
        self.mailer.refuse(Error::retold(&error));
    }

    /// Begins a bulk send.
    #[napi]
    pub fn bulk(&self, call: &NativeCall) -> napi::Result<NativeBulk> {
        NativeBulk::begin(&self.mailer, call.to_core()?)
    }

    /// The octets that would be sent.
    #[napi(ts_return_type = "Promise<Buffer>")]
    pub fn render<'env>(
        &self,
        env: &'env Env,
        fields: String,
        blobs: Vec<Buffer>,
        streams: Vec<Pull>,
        spool: Option<&NativeSpool>,
    ) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let mailer = self.mailer.clone();
        let message = message(&self.mailer, &fields, &blobs, streams, spool).map_err(fail)?;
        env.spawn_future(async move {
            mailer.render(&message).await.map(|bytes| Buffer::from(bytes.to_vec())).map_err(fail)
        })
    }

    /// Walks the chain.
    #[napi(ts_return_type = "Promise<any>")]
    pub fn verify<'env>(
        &self,
        env: &'env Env,
        send_to: Option<String>,
        always_report: bool,
        call: &NativeCall,
    ) -> napi::Result<PromiseRaw<'env, Value>> {
        let mailer = self.mailer.clone();
        let request = VerifyRequest { send_to, always_report, call: call.to_core()? };
        env.spawn_future(async move {
            let report = mailer.verify(request).await.map_err(fail)?;
            let mut found = to_js(&report);
            found["text"] = report.to_string().into();
            Ok(found)
        })
    }

    /// Fetches the token and opens a connection.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn warm<'env>(&self, env: &'env Env, call: &NativeCall) -> napi::Result<PromiseRaw<'env, ()>> {
        let (mailer, call) = (self.mailer.clone(), call.to_core()?);
        env.spawn_future(async move { mailer.warm(call).await.map_err(fail) })
    }

    /// Tells the process's numbers to an OpenTelemetry collector.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn export_metrics<'env>(
        &self,
        env: &'env Env,
        endpoint: Option<String>,
        call: &NativeCall,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let (mailer, call) = (self.mailer.clone(), call.to_core()?);
        env.spawn_future(async move { mailer.export_metrics(endpoint.as_deref(), call).await.map_err(fail) })
    }

    /// Begins a sign-in.
    #[napi(ts_return_type = "Promise<NativeLogin>")]
    pub fn login<'env>(
        &self,
        env: &'env Env,
        request: Value,
        call: &NativeCall,
    ) -> napi::Result<PromiseRaw<'env, NativeLogin>> {
        let (mailer, request) = (self.mailer.clone(), login::request(&request, call)?);
        env.spawn_future(async move { mailer.login(request).await.map(NativeLogin::new).map_err(fail) })
    }

    /// Goes on with a sign-in.
    #[napi]
    pub fn resume_login(&self, saved: String) -> napi::Result<NativeLogin> {
        self.mailer.resume_login(&saved).map(NativeLogin::new).map_err(fail)
    }

    /// The token half.
    #[napi]
    pub fn tokens(&self) -> napi::Result<NativeTokens> {
        self.mailer.tokens().map(|source| NativeTokens::new(source.clone())).map_err(fail)
    }

    /// A mailer for another mailbox.
    #[napi]
    pub fn for_mailbox(&self, username: String, from: Option<Value>) -> napi::Result<Self> {
        let from = from.map(|from| MailboxOption::read(from, "from")).transpose().map_err(fail)?;
        Ok(Self { mailer: self.mailer.for_mailbox(&username, from).map_err(fail)? })
    }

    /// What the memory provider kept, and the octets of each.
    #[napi(ts_return_type = "Array<[any, Buffer]>")]
    pub fn outbox(&self) -> Vec<(Value, Buffer)> {
        let kept = self.mailer.outbox().into_iter();
        kept.map(|kept| {
            let about = serde_json::json!({
                "messageId": kept.message_id, "tag": kept.tag, "envelope": to_js(&kept.envelope),
            });
            (about, Buffer::from(kept.bytes.to_vec()))
        })
        .collect()
    }

    /// The numbers.
    #[napi]
    pub fn metrics(&self) -> Value {
        to_js(&self.mailer.metrics())
    }

    /// Closes.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env, timeout: Option<String>) -> napi::Result<PromiseRaw<'env, ()>> {
        let mailer = self.mailer.clone();
        let timeout = timeout.map(|text| read_duration("timeout", &text)).transpose().map_err(fail)?;
        env.spawn_future(async move {
            mailer.close(timeout).await;
            Ok(())
        })
    }
}
