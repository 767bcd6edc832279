//! A Redis server that processes on several hosts share: a hash for each key, a set of all keys, and a counter
//! that gives each write a version of its own. Writing is one script: a compare-and-swap.

use std::sync::{Arc, LazyLock};

use redis::{Script, ScriptInvocation};
use serde_json::Value;

use super::Versioned;
use crate::crypto::seal::{self, Seal};
use crate::error::{Error, ErrorCode, Result};
use crate::net::redis::{RedisLink, RedisTrouble};
use crate::token::entry::Entry;

/// The server, and what entries are encrypted with.
#[derive(Clone)]
pub(crate) struct RedisStore {
    link: Arc<RedisLink>,
    seal: Option<Seal>,
}

/// KEYS: entry. Returns its version and the entry, or nothing.
static LOAD: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('HMGET', KEYS[1], 'version', 'entry')"));

/// KEYS: entry, all keys, counter. ARGV: the version expected (empty: none), the new entry (empty: remove it),
/// the key. Returns whether the version was the expected one.
static SAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local version = redis.call('HGET', KEYS[1], 'version') or ''
if version ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[2], ARGV[3])
else
  redis.call('HSET', KEYS[1], 'version', redis.call('INCR', KEYS[3]), 'entry', ARGV[2])
  redis.call('SADD', KEYS[2], ARGV[3])
end
return 1
",
    )
});

/// KEYS: the sign-in. ARGV: how long it is remembered. Returns whether it was not there.
static FINISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 1 end return 0")
});

/// KEYS: all keys.
static LIST: LazyLock<Script> = LazyLock::new(|| Script::new("return redis.call('SMEMBERS', KEYS[1])"));

impl RedisStore {
    pub(crate) fn new(link: Arc<RedisLink>, seal: Option<Seal>) -> Self {
        Self { link, seal }
    }

    pub(super) async fn load(&self, key: &str) -> Result<Option<Versioned>> {
        let mut call = LOAD.prepare_invoke();
        call.key(entry(key));
        let (version, kept): (Option<u64>, Option<String>) = self.run(&call).await?;
        let (Some(version), Some(kept)) = (version, kept) else { return Ok(None) };
        let damaged = |_| Error::new(ErrorCode::StoreFailed, "the stored sign-in is damaged");
        let kept: Value = serde_json::from_str(&kept).map_err(damaged)?;
        let entry = Entry::from_bytes(&seal::open(self.seal.as_ref(), key, &kept)?)?;
        Ok(Some(Versioned { entry, version }))
    }

    pub(super) async fn save(&self, key: &str, new: Option<&Entry>, expected: Option<u64>) -> Result<bool> {
        let kept = match new {
            None => String::new(),
            Some(new) => seal::close(self.seal.as_ref(), key, &new.to_bytes()?)?.to_string(),
        };
        let mut call = SAVE.prepare_invoke();
        call.key(entry(key)).key(ALL).key(COUNTER);
        call.arg(expected.map_or_else(String::new, |version| version.to_string())).arg(kept).arg(key);
        self.run::<u8>(&call).await.map(|saved| saved == 1)
    }

    pub(super) async fn keys(&self) -> Result<Vec<String>> {
        let mut call = LIST.prepare_invoke();
        call.key(ALL);
        self.run(&call).await
    }

    /// Notes for so long that the sign-in `id` was finished; false if it was before.
    pub(crate) async fn finish(&self, id: &str, milliseconds: u64) -> Result<bool> {
        let mut call = FINISH.prepare_invoke();
        call.key(format!("mailbearer:{{tokens}}:finished:{id}")).arg(milliseconds.max(1));
        self.run::<u8>(&call).await.map(|first| first == 1)
    }

    async fn run<T: redis::FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T> {
        self.link.run(call).await.map_err(|trouble| {
            let passing = matches!(trouble, RedisTrouble::Away(_));
            let text = format!("the token store, Redis at {}: {}", self.link.place(), trouble.words());
            let error = Error::new(ErrorCode::StoreFailed, text).with_retryable(passing);
            match passing {
                true => {
                    error.with_hint("Check whether Redis is running and whether this machine can reach it.")
                }
                false => error.with_hint("Check the user, password and database in store.url."),
            }
        })
    }
}

/// The braces keep all in one place in a cluster: a script may touch no other.
fn entry(key: &str) -> String {
    format!("mailbearer:{{tokens}}:{key}")
}

const ALL: &str = "mailbearer:{tokens}:all";
const COUNTER: &str = "mailbearer:{tokens}:counter";
