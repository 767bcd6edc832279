//! Finished MIME that comes piece by piece.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use mailbearer::{Error, ErrorCode, Spool, Spooled};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;

use crate::error::fail;

/// Takes finished MIME piece by piece; a message is made of it once it is finished.
#[napi]
#[derive(Default)]
pub struct NativeSpool {
    state: Arc<Mutex<State>>,
}

enum State {
    Open(Spool),
    Finished(Spooled),
    /// A write is under way, or one failed.
    Gone,
}

impl Default for State {
    fn default() -> Self {
        Self::Open(Spool::new())
    }
}

#[napi]
impl NativeSpool {
    /// An empty one.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds octets; none ends it. One call at a time.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn write<'env>(&self, env: &'env Env, octets: Buffer) -> napi::Result<PromiseRaw<'env, ()>> {
        let state = self.state.clone();
        let octets = octets.to_vec();
        env.spawn_future(async move {
            let work = move || {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let State::Open(mut spool) = std::mem::replace(&mut *state, State::Gone) else {
                    return Err(io::Error::other("it was ended before"));
                };
                *state = if octets.is_empty() {
                    State::Finished(spool.finish()?)
                } else {
                    spool.write(&octets)?;
                    State::Open(spool)
                };
                Ok(())
            };
            let written = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
            written.and_then(|done| done).map_err(|e| {
                let text = format!("the message cannot be kept in a temporary file: {e}");
                fail(Error::told(ErrorCode::AttachmentUnreadable, text, Some("raw"), Some(HINT)))
            })
        })
    }
}

impl NativeSpool {
    /// What was written.
    ///
    /// # Errors
    /// `message_invalid` before its end.
    pub(crate) fn finished(&self) -> mailbearer::Result<Spooled> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Finished(spooled) => Ok(spooled.clone()),
            _ => Err(Error::told(ErrorCode::MessageInvalid, "the stream has not ended", Some("raw"), None)),
        }
    }
}

const HINT: &str = "Make room in the folder for temporary files, or name another one with TMPDIR.";
