//! A message across the border: fields as JSON, octets and streams beside them.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use mailbearer::config::Spelling;
use mailbearer::{ByteStream, Error, ErrorCode, Mailer, Message, Result};
use napi::Status;
use napi::bindgen_prelude::{Buffer, Either, Promise};
use napi::threadsafe_function::ThreadsafeFunction;

use crate::spool::NativeSpool;

/// A function that gives the next octets of a stream, none at its end, or a text that says why there are no more.
/// It does not keep the process alive: the send does.
pub(crate) type Pull = ThreadsafeFunction<(), Promise<Either<Buffer, String>>, (), Status, false, true>;

/// A message of fields, or of `raw` octets, for `mailer`. Attachments name `blobs` by index; the indices behind
/// them are those of `streams`. Finished MIME that was read from a stream is in `spool`.
pub(crate) fn message(
    mailer: &Mailer,
    fields: &str,
    blobs: &[Buffer],
    streams: Vec<Pull>,
    spool: Option<&NativeSpool>,
) -> Result<Message> {
    let fields = serde_json::from_str(fields)
        .map_err(|e| Error::new(ErrorCode::MessageInvalid, format!("the message is no JSON: {e}")))?;
    if let Some(spool) = spool {
        return Message::from_spool(fields, spool.finished()?, Spelling::Camel);
    }
    let octets = blobs.iter().map(|blob| Bytes::copy_from_slice(blob).into());
    let streams = streams.into_iter().map(|pull| stream(Arc::new(pull)).into());
    mailer.message(fields, octets.chain(streams).collect())
}

fn stream(pull: Arc<Pull>) -> ByteStream {
    ByteStream::asking(move || {
        let pull = pull.clone();
        async move {
            let promise = pull.call_async_catch(()).await.map_err(|e| io::Error::other(e.reason))?;
            match promise.await.map_err(|e| io::Error::other(e.reason))? {
                Either::A(octets) => Ok(Bytes::copy_from_slice(&octets)),
                Either::B(text) => Err(io::Error::other(text)),
            }
        }
    })
}
