//! The Rust face for `tests/conformance`: one JSON request a line, one JSON answer a line.

#![allow(clippy::unwrap_used, reason = "a broken request ends the shim; the runner says which")]

use std::io::{BufRead, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailbearer::config::{MailboxOption, Partial, parse_duration};
use mailbearer::{
    Call, Error, Event, EventSink, GetToken, Host, Login, LoginRequest, Mailer, Message, VerifyRequest,
};
use serde_json::{Value, json};

#[tokio::main]
async fn main() {
    let mut shim = Shim::default();
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match shim.perform(&request).await {
            Ok((ok, None)) => json!({ "ok": ok }),
            Ok((ok, Some(fatal))) => json!({ "ok": ok, "error": fatal }),
            Err(error) => json!({ "error": error }),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}").unwrap();
        out.flush().unwrap();
    }
}

#[derive(Default)]
struct Shim {
    mailer: Option<Mailer>,
    flow: Option<Login>,
}

/// Everything that happens is printed beside.
fn host() -> Host {
    let events = EventSink::new(|event: &Event| eprintln!("{}", json!(event)));
    Host { events, ..Host::default() }
}

type Answer = Result<(Value, Option<Error>), Error>;

impl Shim {
    async fn perform(&mut self, request: &Value) -> Answer {
        let op = request["op"].as_str().unwrap();
        if op == "close" {
            if let Some(mailer) = self.mailer.take() {
                mailer.close(Duration::from_secs(1)).await;
            }
            return Ok((json!({}), None));
        }
        if let Some(options) = request.get("options") {
            self.mailer = Some(Mailer::from_json(options.clone(), host())?);
        }
        let mailer = self.mailer.clone().unwrap();
        let text = |key: &str| request[key].as_str().map(str::to_owned);
        let ok = match op {
            "open" => json!({}),
            "send" => {
                let message = message(&mailer, &request["message"], request);
                let message = message.map_err(|error| mailer.refuse(error))?;
                json!(mailer.send(&message, call(request)).await?)
            }
            "send_raw" => {
                let raw = STANDARD.decode(text("raw").unwrap()).unwrap();
                let envelope = request.get("envelope").filter(|e| !e.is_null());
                let envelope = envelope.map(|e| serde_json::from_value(e.clone()).unwrap());
                json!(mailer.send(&Message::raw(raw, envelope, text("tag"))?, call(request)).await?)
            }
            "send_many" => return self.send_many(&mailer, request).await,
            "token" => {
                let force = request["force"].as_bool().unwrap_or(false);
                let token = mailer.tokens()?.get(GetToken { force, ..GetToken::default() }).await?;
                json!({"secret": token.secret(), "username": token.username(), "scopes": token.scopes()})
            }
            "login" => {
                let login = LoginRequest {
                    method: text("method"),
                    redirect_uri: text("redirect_uri"),
                    ..LoginRequest::default()
                };
                self.begun(mailer.login(login).await?)
            }
            "resume" => self.begun(mailer.resume_login(&text("saved").unwrap())?),
            "wait" => json!(self.flow.as_ref().unwrap().wait(call(request)).await?),
            "finish" => {
                json!(self.flow.as_ref().unwrap().finish(&request["callback"], call(request)).await?)
            }
            "save" => json!({ "saved": self.flow.as_ref().unwrap().save()? }),
            "import" => {
                let file = text("text").unwrap_or_default();
                json!(mailer.tokens()?.import_login(&file, call(request)).await?)
            }
            "logout" => {
                mailer.tokens()?.logout().await?;
                json!({})
            }
            "for_mailbox" => {
                let username = text("text").unwrap_or_default();
                let from =
                    request.get("from").map(|from| MailboxOption::read(from.clone(), "from")).transpose()?;
                self.mailer = Some(mailer.for_mailbox(&username, from)?);
                json!({})
            }
            "metrics" => json!({"metrics": mailer.metrics(), "prometheus": mailbearer::prometheus()}),
            "explain" => json!({ "explanations": mailbearer::explain(&text("text").unwrap()) }),
            "export" => {
                mailer.export_metrics(text("text").as_deref(), call(request)).await?;
                json!({})
            }
            "verify" => {
                let always_report = request["report"] == true;
                let request =
                    VerifyRequest { send_to: text("send_to"), always_report, ..VerifyRequest::default() };
                let report = mailer.verify(request).await?;
                json!({"ok": report.ok, "text": report.to_string()})
            }
            other => panic!("unknown op {other}"),
        };
        Ok((ok, None))
    }

    fn begun(&mut self, flow: Login) -> Value {
        let about = json!({
            "method": flow.method(),
            "url": flow.url(),
            "user_code": flow.user_code(),
            "message": flow.message(),
            "state": flow.state(),
        });
        self.flow = Some(flow);
        about
    }

    async fn send_many(&self, mailer: &Mailer, request: &Value) -> Answer {
        let list = request["messages"].as_array().unwrap();
        let repeat = request["repeat"].as_u64().unwrap_or(1);
        let mut source = (0..repeat).flat_map(|_| list);
        let mut bulk = mailer.bulk(call(request), tokio::runtime::Handle::current())?;
        let mut results = Vec::new();
        let fatal = loop {
            while bulk.has_room() {
                match source.next() {
                    Some(fields) => bulk.push(message(mailer, fields, request)),
                    None => bulk.finish(),
                }
            }
            match bulk.next().await {
                Some(Ok(result)) => results.push(json!(result)),
                Some(Err(fatal)) => break Some(fatal),
                None => break None,
            }
        };
        Ok((json!({ "results": results }), fatal))
    }
}

fn message(mailer: &Mailer, fields: &Value, request: &Value) -> Result<Message, Error> {
    let blobs = request["blobs"].as_array().into_iter().flatten();
    let blobs = blobs.map(|b| STANDARD.decode(b.as_str().unwrap()).unwrap().into()).collect();
    mailer.message(fields.clone(), blobs)
}

fn call(request: &Value) -> Call {
    let given = &request["call"];
    Call {
        timeout: given["timeout"].as_str().map(|t| parse_duration(t).unwrap()),
        partial: match given["partial"].as_str() {
            Some("refuse") => Some(Partial::Refuse),
            Some(_) => Some(Partial::Deliver),
            None => None,
        },
        ..Call::default()
    }
}
