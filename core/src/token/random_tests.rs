//! Random interleavings of callers, refreshes, rotations and new sign-ins, against a model of the service.
//!
//! What must hold: a refresh token is posted by one at a time and never again once it was replaced; no source goes
//! back to an older token or an older sign-in; no error hides a token that is still good; and when all is quiet, the
//! store has the refresh token that the service gave last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::{GetToken, TokenSource};
use crate::call::Call;
use crate::crypto::random;
use crate::error::{ErrorCode, Result};
use crate::host::{BoxFuture, Host, StoredEntry, TokenStore};
use crate::sign_in::LoginRequest;
use crate::sign_in::testing::{Asked, Fake, Reply, jwt, reply};

/// The number of a sign-in, and of a token within it.
type Serial = (u32, u32);

/// What the service knows.
#[derive(Default)]
struct Service {
    sign_ins: u32,
    /// The number of the token given last, by sign-in, and until when a request with it is being answered.
    given: HashMap<u32, (u32, Option<Instant>)>,
    wrong: Vec<String>,
}

impl Service {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let delay = Duration::from_micros(u64::from(below(4000)));
        if asked.form["grant_type"] == "authorization_code" {
            self.sign_ins += 1;
            self.given.insert(self.sign_ins, (0, None));
            return answer((self.sign_ins, 0)).after(delay);
        }
        let sent = &asked.form["refresh_token"];
        let (family, number) = serial(sent);
        let (given, busy) = self.given.get_mut(&family).expect("a token of ours");
        let now = Instant::now();
        if busy.is_some_and(|until| now < until) {
            self.wrong.push(format!("{sent} was posted while another request was under way"));
        }
        if number != *given {
            self.wrong.push(format!("{sent} was posted after it had been replaced"));
        }
        *busy = Some(now + delay);
        if below(5) == 0 {
            return reply(503, json!({})).after(delay);
        }
        *given += 1;
        answer((family, *given)).after(delay)
    }
}

fn answer((family, number): Serial) -> Reply {
    let id_token = jwt(&json!({"preferred_username": "ada@contoso.com"}));
    let name = format!("{family}.{number}");
    reply(200, json!({"access_token": name, "refresh_token": name, "expires_in": 3600, "id_token": id_token}))
}

fn serial(token: &str) -> Serial {
    let (family, number) = token.split_once('.').unwrap();
    (family.parse().unwrap(), number.parse().unwrap())
}

fn below(n: u32) -> u32 {
    (random::unit() * f64::from(n)) as u32
}

/// A store that takes its time.
#[derive(Default)]
struct SlowStore(Mutex<HashMap<String, StoredEntry>>);

impl TokenStore for SlowStore {
    fn load(&self, key: &str) -> BoxFuture<'_, Result<Option<StoredEntry>>> {
        let key = key.to_owned();
        Box::pin(async move {
            dawdle().await;
            let found = self.0.lock().unwrap().get(&key).cloned();
            dawdle().await;
            Ok(found)
        })
    }

    fn save(&self, key: &str, entry: Option<Vec<u8>>, expected: Option<u64>) -> BoxFuture<'_, Result<bool>> {
        let key = key.to_owned();
        Box::pin(async move {
            dawdle().await;
            let fits = {
                let mut entries = self.0.lock().unwrap();
                let fits = entries.get(&key).map(|held| held.version) == expected;
                match entry {
                    Some(entry) if fits => {
                        drop(entries.insert(key, StoredEntry { entry, version: expected.unwrap_or(0) + 1 }));
                    }
                    _ => {}
                }
                fits
            };
            dawdle().await;
            Ok(fits)
        })
    }
}

async fn dawdle() {
    tokio::time::sleep(Duration::from_micros(u64::from(below(800)))).await;
}

/// One program with its own memory, as its callers see it.
struct Program {
    source: TokenSource,
    service: Arc<Mutex<Service>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The newest token that somebody was given.
    newest: Serial,
    /// A token was refused, and no other was given since: there may be none.
    without: bool,
}

impl Program {
    /// Asks for a token, and judges what comes.
    async fn get(&self, request: GetToken) -> Result<(), String> {
        let (force, hurried) = (request.force, request.call.timeout.is_some());
        let (before, without) = {
            let seen = self.seen.lock().unwrap();
            (seen.newest, seen.without)
        };
        match self.source.get(request).await {
            Ok(token) => {
                let now = serial(token.secret());
                let mut seen = self.seen.lock().unwrap();
                seen.newest = seen.newest.max(now);
                seen.without &= now < seen.newest;
                match now < before {
                    true => Err(format!("{now:?} was given after {before:?}")),
                    false => Ok(()),
                }
            }
            Err(error) => {
                let without = without || self.seen.lock().unwrap().without;
                match error.code() {
                    ErrorCode::TimedOut if hurried => Ok(()),
                    ErrorCode::TokenEndpointUnavailable if force || without => Ok(()),
                    _ => Err(format!("{before:?} is good, and yet: {error}")),
                }
            }
        }
    }

    fn refuse(&self) {
        let mut seen = self.seen.lock().unwrap();
        seen.without = true;
        let (family, number) = seen.newest;
        self.source.invalidate(&format!("{family}.{number}"));
    }

    async fn sign_in(&self, one_by_one: &tokio::sync::Mutex<()>) -> Result<(), String> {
        let _turn = one_by_one.lock().await;
        let redirect_uri = Some("https://app.example/".to_owned());
        let request = LoginRequest { redirect_uri, ..LoginRequest::default() };
        let login = self.source.login(request).await.map_err(|e| e.to_string())?;
        let answer = json!({"code": "c", "state": login.state()});
        login.finish(&answer, Call::default()).await.map_err(|e| e.to_string())?;
        let now = (self.service.lock().unwrap().sign_ins, 0);
        let mut seen = self.seen.lock().unwrap();
        seen.newest = seen.newest.max(now);
        Ok(())
    }
}

async fn caller(program: Arc<Program>, one_by_one: Arc<tokio::sync::Mutex<()>>) -> Result<(), String> {
    for _ in 0..12 {
        let hurried =
            Call { timeout: Some(Duration::from_micros(u64::from(below(3000)))), ..Call::default() };
        match below(20) {
            0 => program.sign_in(&one_by_one).await?,
            1..4 => program.refuse(),
            4..8 => program.get(GetToken { force: true, ..GetToken::default() }).await?,
            8..10 => program.get(GetToken { call: hurried, ..GetToken::default() }).await?,
            10..12 => program.get(GetToken { force: true, call: hurried, ..GetToken::default() }).await?,
            _ => program.get(GetToken::default()).await?,
        }
        dawdle().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_order_no_sign_in_is_lost_and_no_token_is_used_twice() {
    for _ in 0..20 {
        let service = Arc::new(Mutex::new(Service::default()));
        let fake = Fake::start({
            let service = service.clone();
            move |asked| service.lock().unwrap().answer(asked)
        })
        .await;
        let store = Arc::new(SlowStore::default());
        let programs: Vec<_> = (0..3)
            .map(|_| {
                let host = Host { store: Some(store.clone()), ..Host::default() };
                let source = fake.person(json!({"username": "ada@contoso.com"}), host);
                Arc::new(Program { source, service: service.clone(), seen: Mutex::default() })
            })
            .collect();
        let one_by_one = Arc::default();
        programs[0].sign_in(&one_by_one).await.unwrap();
        for program in &programs {
            program.seen.lock().unwrap().without = true;
        }
        let mut callers = JoinSet::new();
        for at in 0..6 {
            callers.spawn(caller(programs[at % 3].clone(), one_by_one.clone()));
        }
        for outcome in callers.join_all().await {
            assert_eq!(outcome, Ok(()));
        }
        for program in &programs {
            // Of failures there may be one that still counts, and a refresh that nobody waits for.
            for _ in 0..200 {
                program.source.shared.state().lock().failure = None;
                if program.source.get(GetToken { force: true, ..GetToken::default() }).await.is_ok() {
                    break;
                }
            }
        }
        let service = service.lock().unwrap();
        assert_eq!(service.wrong, Vec::<String>::new());
        let kept: Vec<_> = store.0.lock().unwrap().values().map(|held| held.entry.clone()).collect();
        let kept: Vec<serde_json::Value> =
            kept.iter().filter_map(|entry| serde_json::from_slice(entry).ok()).collect();
        let kept = kept.iter().find_map(|entry| entry["refresh_token"].as_str()).unwrap();
        let last = service.given[&service.sign_ins].0;
        assert_eq!(serial(kept), (service.sign_ins, last));
    }
}
