//! A message: fields collected one by one, made into core's message when first used.

use std::ffi::{c_char, c_void};
use std::sync::Mutex;

use bytes::Bytes;
use mailbearer::config::{self, Spelling};
use mailbearer::{Blob, Result};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::ffi;
use crate::own_callback::Owner;
use crate::returns;
use crate::status::Status;
use crate::stream::Gates;

/// A message to be sent. Its fields:
/// - who: `from`, `sender`, `reply_to`, `to`, `cc`, `bcc`; `envelope.mail_from` and `envelope.rcpt_to` if the
///   envelope is not to follow from them
/// - what: `subject`, `text`, `html`, `calendar` (an iCalendar object, RFC 5545), `message_id`, `date` (RFC 3339),
///   `in_reply_to`, `references`, `list_unsubscribe`, `priority` (`high`, `normal`, `low`)
/// - `tag`: your own string, which comes back in results and errors
/// - what you ask of the server: `dsn.notify` (`never`, or some of `success`, `failure`, `delay`), `dsn.return`
///   (`full`, `headers`) and `dsn.envelope_id` (RFC 3461), `require_tls` (`true`; RFC 8689), `hold_for` (such as
///   `2h`) or `hold_until` (RFC 3339; RFC 4865). If the server cannot do it, the send fails with `capability_missing`
///
/// Message-ID and Date are made when the message is first used. They stay the same when it is sent again, until a
/// field changes. A wrong field is told when the message is first used: `message_invalid` names the field.
///
/// Threads: one at a time may change it. Sending only reads it: many threads may send it at once.
#[derive(Default)]
pub struct Message {
    fields: Map<String, Value>,
    blobs: Vec<Blob>,
    raw: Option<Bytes>,
    made: Mutex<Option<mailbearer::Message>>,
    gates: Gates,
}

/// Your function that writes at most `length` octets to `buffer` and returns how many; 0 at the end, a negative
/// number if it cannot. It runs on a thread of the library and may block.
pub type ReadFn = Option<extern "C" fn(userdata: *mut c_void, buffer: *mut c_void, length: usize) -> i64>;

/// mailbearer_message_new() makes an empty message.
/// Owner: free it with mailbearer_message_free(). Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_new() -> *mut Message {
    returns::make(std::ptr::null_mut(), || Ok(Message::default()))
}

/// mailbearer_message_set() sets a field that has one value, in place of what it had. An address is
/// `ada@example.com` or `Ada Lovelace <ada@example.com>`.
/// Owner: both texts are copied. Threads: one at a time.
/// Errors: `config_invalid` for a NULL argument or broken UTF-8.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_set(
    message: *mut Message,
    field: *const c_char,
    value: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let message = ffi::object_mut(message, "message")?;
        let field = ffi::text(field, "field")?;
        let value = Value::from(ffi::text(value, "value")?);
        *message.at(field)? = value;
        Ok(())
    })
}

/// mailbearer_message_add() adds a value to a field that has several: `to`, `cc`, `bcc`, `reply_to`, `references`,
/// `list_unsubscribe`, `envelope.rcpt_to`. One value is one address: `"a@x, b@y"` is refused.
/// Owner: both texts are copied. Threads: one at a time. Errors: as mailbearer_message_set().
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_add(
    message: *mut Message,
    field: *const c_char,
    value: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let message = ffi::object_mut(message, "message")?;
        let field = ffi::text(field, "field")?;
        let value = Value::from(ffi::text(value, "value")?);
        append(message.at(field)?, value);
        Ok(())
    })
}

/// mailbearer_message_header() adds a header of your own, such as `X-Campaign`; you may add the same name again. Names
/// that have a field of their own are refused when the message is first used.
/// Owner: both texts are copied. Threads: one at a time. Errors: as mailbearer_message_set().
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_header(
    message: *mut Message,
    name: *const c_char,
    value: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let message = ffi::object_mut(message, "message")?;
        let name = ffi::text(name, "name")?;
        let value = Value::from(ffi::text(value, "value")?);
        append(table(message.at("headers")?).entry(name).or_insert(Value::Null), value);
        Ok(())
    })
}

/// mailbearer_message_attach_file() attaches a file, which is read when the message is sent. `filename` and
/// `content_type` may be NULL: then they follow from the path.
/// Owner: the texts are copied. Threads: one at a time.
/// Errors: as mailbearer_message_set(); a file that cannot be read fails the send with `attachment_unreadable`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_attach_file(
    message: *mut Message,
    path: *const c_char,
    filename: *const c_char,
    content_type: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let message = ffi::object_mut(message, "message")?;
        let path = Value::from(ffi::text(path, "path")?);
        let about = [
            ("filename", ffi::optional_text(filename, "filename")?),
            ("content_type", ffi::optional_text(content_type, "content_type")?),
        ];
        message.attach(Map::from_iter([("path".to_owned(), path)]), &about)
    })
}

/// mailbearer_message_attach_bytes() attaches octets. `filename`, `content_type` and `content_id` may be NULL. With a
/// `content_id` the html can show the attachment as `cid:…`.
/// Owner: octets and texts are copied. Threads: one at a time. Errors: as mailbearer_message_set().
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_attach_bytes(
    message: *mut Message,
    data: *const c_void,
    length: usize,
    filename: *const c_char,
    content_type: *const c_char,
    content_id: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let message = ffi::object_mut(message, "message")?;
        let data = ffi::bytes(data, length, "data")?;
        let about = [
            ("filename", ffi::optional_text(filename, "filename")?),
            ("content_type", ffi::optional_text(content_type, "content_type")?),
            ("content_id", ffi::optional_text(content_id, "content_id")?),
        ];
        message.attach(Map::from_iter([("blob".to_owned(), message.blobs.len().into())]), &about)?;
        message.blobs.push(Bytes::copy_from_slice(data).into());
        Ok(())
    })
}

/// mailbearer_message_attach_stream() attaches what `read` gives. The library calls `read` when the server wants the
/// message, and only once to its end: a send that fails after that is not repeated. `size` is how many octets
/// there are, or -1; with it a server that has a limit is told first, and a stream of another size is not
/// delivered. `filename` and `content_type` may be NULL; a `message/...` cannot be a stream.
///
/// Owner: the texts are copied; `userdata` is yours and must live until mailbearer_message_free() returns, or
/// mailbearer_mailer_send_many() for a message that it took. Both wait for a `read` that is still running.
/// Threads: one at a time. `read` runs on one thread of the library at a time. If it frees its own message, the
/// send fails with `attachment_unreadable`.
/// Errors: as mailbearer_message_set(); a stream that cannot be read fails the send with `attachment_unreadable`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_attach_stream(
    message: *mut Message,
    read: ReadFn,
    userdata: *mut c_void,
    size: i64,
    filename: *const c_char,
    content_type: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let message = ffi::object_mut(message, "message")?;
        let read = read.ok_or_else(|| ffi::is_null("read"))?;
        let about = [
            ("filename", ffi::optional_text(filename, "filename")?),
            ("content_type", ffi::optional_text(content_type, "content_type")?),
        ];
        let size = u64::try_from(size).ok().map(|size| ("size".to_owned(), size.into()));
        let blob = ("blob".to_owned(), message.blobs.len().into());
        message.attach(Map::from_iter(size.into_iter().chain([blob])), &about)?;
        message.blobs.push(message.gates.stream(read, ffi::Userdata::new(userdata)).into());
        Ok(())
    })
}

/// mailbearer_message_set_raw() makes the message of finished MIME. Bcc is removed, Message-ID and Date are put in
/// front if they are absent, line ends are repaired; nothing else changes. Beside it you may set only `tag`,
/// `envelope.…` and what you ask of the server; without an envelope the headers say who gets it.
/// Owner: the octets are copied. Threads: one at a time. Errors: as mailbearer_message_set().
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_set_raw(
    message: *mut Message,
    data: *const c_void,
    length: usize,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let message = ffi::object_mut(message, "message")?;
        let data = ffi::bytes(data, length, "data")?;
        message.changed();
        message.raw = Some(Bytes::copy_from_slice(data));
        Ok(())
    })
}

/// mailbearer_message_free() frees the message. NULL is fine. If a cancelled call left a `read` of its stream running, it
/// waits for that; called in that very `read`, it does not wait.
/// Threads: one, when no call uses the message any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_message_free(message: *mut Message) {
    ffi::free(message);
}

impl Message {
    /// Core's message, made for the mailer that uses it first; the same one until a field changes.
    pub(crate) fn build(&self, mailer: &mailbearer::Mailer) -> Result<mailbearer::Message> {
        let mut made = self.made.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(message) = &*made {
            return Ok(message.clone());
        }
        let message = match &self.raw {
            Some(mime) => self.build_raw(mime),
            None => {
                let fields = Value::Object(self.fields.clone());
                mailer.message(fields, self.blobs.clone())
            }
        };
        let message = message.map_err(|e| match self.tag() {
            Some(tag) => e.with_message("", Some(tag)),
            None => e,
        })?;
        Ok(made.insert(message).clone())
    }

    fn build_raw(&self, mime: &Bytes) -> Result<mailbearer::Message> {
        if let Some(field) = self.fields.keys().find(|field| !BESIDE_MIME.contains(&field.as_str())) {
            return Err(mailbearer::Error::invalid_message(
                field,
                format!("`{field}` cannot be set beside finished MIME"),
            )
            .with_hint(format!("Put it into the MIME; beside it go only {}.", BESIDE_MIME.join(", "))));
        }
        let mut fields = self.fields.clone();
        fields.insert("raw".to_owned(), json!({"blob": 0}));
        mailbearer::Message::from_json(Value::Object(fields), vec![mime.clone().into()], Spelling::Snake)
    }

    /// Says which mailer sends it: what its streams' functions may not wait for.
    pub(crate) fn sent_by(&self, mailer: &Owner) {
        self.gates.sent_by(mailer);
    }

    /// The streams' gates: whoever has them keeps the streams open.
    pub(crate) fn take_gates(&mut self) -> Gates {
        std::mem::take(&mut self.gates)
    }

    fn tag(&self) -> Option<&str> {
        self.fields.get("tag").and_then(Value::as_str)
    }

    /// Where a field's value stands, or shall stand.
    fn at(&mut self, field: &str) -> Result<&mut Value> {
        self.changed();
        match field.split_once('.') {
            None => Ok(self.fields.entry(field).or_insert(Value::Null)),
            Some((outer, inner)) => {
                let outer = self.fields.entry(outer).or_insert(Value::Null);
                Ok(table(outer).entry(inner).or_insert(Value::Null))
            }
        }
    }

    fn attach(&mut self, mut item: Map<String, Value>, about: &[(&str, Option<&str>)]) -> Result<()> {
        let about = about.iter().filter_map(|(key, text)| Some(((*key).to_owned(), Value::from((*text)?))));
        item.extend(about);
        append(self.at("attachments")?, Value::Object(item));
        Ok(())
    }

    /// The next use makes core's message anew.
    fn changed(&mut self) {
        *self.made.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    }
}

/// Makes `place` a list that ends in `value`.
fn append(place: &mut Value, value: Value) {
    match place {
        Value::Array(list) => list.push(value),
        Value::Null => *place = Value::Array(vec![value]),
        one => *one = Value::Array(vec![one.take(), value]),
    }
}

/// `place` as a table; what else stood there goes.
fn table(place: &mut Value) -> &mut Map<String, Value> {
    if !place.is_object() {
        config::overlay(place, Value::Object(Map::new()));
    }
    match place {
        Value::Object(map) => map,
        _ => unreachable!("it was just made one"),
    }
}

/// Fields that finished MIME cannot have in itself.
const BESIDE_MIME: [&str; 6] = ["tag", "envelope", "dsn", "require_tls", "hold_for", "hold_until"];
