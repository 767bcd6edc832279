//! Attachments: where their octets come from, what they are called and what they are.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::io::AsyncRead;

use super::byte_stream::ByteStream;
use super::content::{Segment, Streamed};
use super::open_file::OpenFile;
use crate::config::FilePolicy;
use crate::error::Result;
use crate::input::FieldPath;
use crate::input::reader::{Reader, no_controls, spaced};

/// A file or octets beside the text.
///
/// ```
/// use mailbearer::Attachment;
/// let report = Attachment::path("reports/may.pdf");
/// let table = Attachment::bytes("a;b\n1;2\n").filename("table.csv");
/// let logo = Attachment::path("logo.png").content_id("logo");  // <img src="cid:logo">
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    source: AttachmentSource,
    filename: Option<String>,
    content_type: Option<String>,
    content_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum AttachmentSource {
    Path(PathBuf),
    Bytes(Bytes),
    Stream(ByteStream, Option<u64>),
}

/// Octets, or where they come from, that a message of fields refers to by their index.
#[derive(Clone, Debug, PartialEq)]
pub enum Blob {
    /// In memory.
    Octets(Bytes),
    /// Read once, when the message is sent: for attachments only.
    Stream(ByteStream),
}

impl From<Bytes> for Blob {
    fn from(octets: Bytes) -> Self {
        Self::Octets(octets)
    }
}

impl From<Vec<u8>> for Blob {
    fn from(octets: Vec<u8>) -> Self {
        Self::Octets(octets.into())
    }
}

impl From<ByteStream> for Blob {
    fn from(stream: ByteStream) -> Self {
        Self::Stream(stream)
    }
}

impl Attachment {
    /// A local file, read when the message is sent. The option `files` may forbid it.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::new(AttachmentSource::Path(path.into()))
    }

    /// Octets in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(AttachmentSource::Bytes(bytes.into()))
    }

    /// What a reader gives: it is read once, when the server wants the message, so that a send which fails
    /// after that is not repeated.
    pub fn stream(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        ByteStream::new(reader).into()
    }

    /// How many octets a stream has: servers that have a limit are told ahead (RFC 1870), and a stream that
    /// has more or fewer is not delivered. Of no meaning for others.
    #[must_use]
    pub fn size(mut self, octets: u64) -> Self {
        if let AttachmentSource::Stream(_, size) = &mut self.source {
            *size = Some(octets);
        }
        self
    }

    /// The name the recipient sees; the path's own where absent.
    #[must_use]
    pub fn filename(mut self, name: impl Into<String>) -> Self {
        self.filename = Some(name.into());
        self
    }

    /// The media type (RFC 2045 §5); guessed from the name's extension where absent.
    #[must_use]
    pub fn content_type(mut self, media_type: impl Into<String>) -> Self {
        self.content_type = Some(media_type.into());
        self
    }

    /// Makes it part of the HTML, which refers to it as `cid:…` (RFC 2392).
    #[must_use]
    pub fn content_id(mut self, id: impl Into<String>) -> Self {
        self.content_id = Some(id.into());
        self
    }

    /// Reads a path, or `{path | blob | content, filename, content_type, content_id, size}`.
    pub(crate) fn read(value: Value, place: &FieldPath, blobs: &[Blob]) -> Result<Self> {
        if let Value::String(path) = value {
            return Self::path(path).check(place);
        }
        let known = ["path", "blob", "content", "filename", "content_type", "content_id", "size"];
        let mut reader = Reader::new(value, place.clone(), &known)?;
        let path = reader.text("path")?;
        let blob =
            reader.take("blob").map(|index| find_blob(&index, &reader.at("blob"), blobs)).transpose()?;
        let content = reader.text("content")?;
        let is_text = content.is_some();
        let mut out = match (path, blob, content) {
            (Some(path), None, None) => Self::path(path),
            (None, Some(blob), None) => blob.into(),
            (None, None, Some(content)) => Self::bytes(content.into_bytes()),
            _ => {
                let content = place.spell("content");
                return Err(place.error(format!("needs either `path` or `{content}`")));
            }
        };
        out.filename = reader.text("filename")?;
        out.content_type = reader.text("content_type")?;
        out.content_id = reader.text("content_id")?;
        if let Some(size) = reader.take("size") {
            let at = reader.at("size");
            let octets = size.as_u64().ok_or_else(|| at.error("must be a number of octets"))?;
            out = out.size(octets).of_size(octets, &at)?;
        }
        if is_text && out.content_type.is_none() {
            out.content_type = match out.media_type() {
                _ if out.filename.is_none() => Some("text/plain".to_owned()),
                text if is_text_type(&text) => Some(text),
                _ => None,
            };
        }
        if let Some(given) = out.content_type.as_mut().filter(|given| is_text && is_text_type(given))
            && !has_parameter(given, "charset")
        {
            // What came as text is UTF-8, and only here is that known.
            given.push_str("; charset=utf-8");
        }
        out.check(place)
    }

    /// Refuses what cannot stand in a header; takes the angle brackets off the content id.
    pub(crate) fn check(mut self, place: &FieldPath) -> Result<Self> {
        if let AttachmentSource::Path(path) = &self.source {
            let at = place.field("path");
            if path.as_os_str().is_empty() {
                return Err(at.error("is empty"));
            }
            // Its last part becomes the file name.
            spaced(&path.to_string_lossy(), &at)?;
        }
        if let Some(name) = &mut self.filename {
            let at = place.field("filename");
            *name = spaced(name, &at)?.into_owned();
            if name.is_empty() {
                return Err(at.error("is empty"));
            }
        }
        if let Some(media_type) = &mut self.content_type {
            let at = place.field("content_type");
            *media_type = spaced(media_type, &at)?.into_owned();
            check_media_type(media_type, &at)?;
        }
        if let Some(id) = &self.content_id {
            let at = place.field("content_id");
            no_controls(id, &at)?;
            let bare = id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id);
            if bare.is_empty()
                || bare.len() > 200
                || !bare.bytes().all(|b| b.is_ascii_graphic() && !b"<>".contains(&b))
            {
                return Err(at.error("must be 1 to 200 ASCII characters without spaces and < >"));
            }
            self.content_id = Some(bare.to_owned());
        }
        Ok(self)
    }

    /// Refuses a size that octets in memory do not have.
    fn of_size(self, octets: u64, place: &FieldPath) -> Result<Self> {
        match &self.source {
            AttachmentSource::Bytes(bytes) if bytes.len() as u64 != octets => {
                Err(place.error(format!("is {octets}, and the content has {} octets", bytes.len())))
            }
            _ => Ok(self),
        }
    }

    /// Returns the attachment's octets, the open file, or the stream. Loads a file of at most `room` octets. Blocks
    /// on the file system.
    pub(crate) fn open(&self, policy: &FilePolicy, room: u64, place: &FieldPath) -> Result<Segment> {
        match &self.source {
            AttachmentSource::Bytes(bytes) => Ok(Segment::Octets(bytes.clone())),
            AttachmentSource::Path(path) => {
                let file = OpenFile::open(path, policy, place)?;
                Ok(match file.size() <= room || self.is_message() {
                    true => Segment::Octets(file.load()?),
                    false => Segment::File(Arc::new(file)),
                })
            }
            AttachmentSource::Stream(..) if self.is_message() => Err(place
                .field("content_type")
                .error("is an attached message, which cannot be a stream: its lines must be checked first")
                .with_hint("Give its octets or its path.")),
            AttachmentSource::Stream(stream, size) => Ok(Segment::Stream(Streamed {
                stream: stream.clone(),
                size: *size,
                place: place.clone(),
                became: Arc::default(),
            })),
        }
    }

    /// An attached message goes as it is, and not in base64 (RFC 2046 §5.2).
    pub(crate) fn is_message(&self) -> bool {
        self.media_type().to_ascii_lowercase().starts_with("message/")
    }

    /// The octets it holds in memory; `None` for others.
    pub(crate) fn in_memory(&self) -> Option<&Bytes> {
        match &self.source {
            AttachmentSource::Bytes(bytes) => Some(bytes),
            AttachmentSource::Path(_) | AttachmentSource::Stream(..) => None,
        }
    }

    /// The content id, without angle brackets.
    pub(crate) fn inline_id(&self) -> Option<&str> {
        self.content_id.as_deref()
    }

    /// The name the recipient sees.
    pub(crate) fn shown_name(&self) -> Option<String> {
        self.filename.clone().or_else(|| match &self.source {
            AttachmentSource::Path(path) => path.file_name().map(|n| n.to_string_lossy().replace('\t', " ")),
            AttachmentSource::Bytes(_) | AttachmentSource::Stream(..) => None,
        })
    }

    /// The media type: as given, else by the name.
    pub(crate) fn media_type(&self) -> String {
        if let Some(given) = &self.content_type {
            return given.clone();
        }
        let name = self.shown_name().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, e)| e).to_ascii_lowercase();
        let known = mime_guess::from_ext(&extension).first_raw();
        // `message` and `multipart` types have rules of their own; of their files, only `.eml` follows them.
        let known = known
            .filter(|t| extension == "eml" || !t.starts_with("message/") && !t.starts_with("multipart/"));
        known.unwrap_or("application/octet-stream").to_owned()
    }

    /// Returns the form that [`Attachment::read`] takes. Octets and streams go into `blobs`.
    pub(crate) fn to_json(&self, blobs: &mut Vec<Blob>) -> Value {
        let mut out = Map::new();
        let mut blob = |blob: Blob| {
            blobs.push(blob);
            out.insert("blob".to_owned(), json!(blobs.len() - 1));
        };
        match &self.source {
            AttachmentSource::Bytes(bytes) => blob(bytes.clone().into()),
            AttachmentSource::Stream(stream, size) => {
                blob(stream.clone().into());
                out.extend(size.map(|size| ("size".to_owned(), json!(size))));
            }
            AttachmentSource::Path(path) => {
                out.insert("path".to_owned(), json!(path.to_string_lossy()));
            }
        }
        let optional = [
            ("filename", &self.filename),
            ("content_type", &self.content_type),
            ("content_id", &self.content_id),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                out.insert(key.to_owned(), json!(value));
            }
        }
        Value::Object(out)
    }

    fn new(source: AttachmentSource) -> Self {
        Self { source, filename: None, content_type: None, content_id: None }
    }
}

impl From<Blob> for Attachment {
    fn from(blob: Blob) -> Self {
        match blob {
            Blob::Octets(bytes) => Self::bytes(bytes),
            Blob::Stream(stream) => stream.into(),
        }
    }
}

impl From<ByteStream> for Attachment {
    fn from(stream: ByteStream) -> Self {
        Self::new(AttachmentSource::Stream(stream, None))
    }
}

fn is_text_type(media_type: &str) -> bool {
    media_type.trim_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
}

/// Whether a media type has the parameter, in RFC 2231's form too.
pub(crate) fn has_parameter(media_type: &str, name: &str) -> bool {
    media_type.split(';').skip(1).any(|parameter| {
        let key = parameter.split(['=', '*']).next().unwrap_or_default();
        key.trim().eq_ignore_ascii_case(name)
    })
}

/// What `index` stands for.
pub(crate) fn find_blob(index: &Value, place: &FieldPath, blobs: &[Blob]) -> Result<Blob> {
    let at = index.as_u64().and_then(|i| usize::try_from(i).ok());
    at.and_then(|i| blobs.get(i)).cloned().ok_or_else(|| place.error("is not the index of a blob"))
}

fn check_media_type(text: &str, place: &FieldPath) -> Result<()> {
    let plain = text.len() <= 500 && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if !plain || text.parse::<mime::Mime>().is_err() || !text.contains('/') {
        return Err(place.error("is not a media type").with_hint("Write it like `application/pdf`."));
    }
    if text.trim_start().to_ascii_lowercase().starts_with("multipart/") {
        return Err(place
            .error("cannot be a multipart type")
            .with_hint("Send a finished multipart message as raw MIME instead."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Spelling;

    fn place() -> FieldPath {
        FieldPath::top(Spelling::Camel).field("attachments").index(0)
    }

    fn read(value: Value) -> Result<Attachment> {
        Attachment::read(value, &place(), &[Bytes::from_static(b"blob").into()])
    }

    #[test]
    fn a_bare_string_is_a_path_and_the_name_tells_the_type() {
        let pdf = read(json!("/tmp/Über.PDF")).unwrap();
        assert_eq!(pdf.shown_name().as_deref(), Some("Über.PDF"));
        assert_eq!(pdf.media_type(), "application/pdf");
        assert_eq!(read(json!({"blob": 0})).unwrap().media_type(), "application/octet-stream");
        assert_eq!(read(json!({"content": "é"})).unwrap().media_type(), "text/plain; charset=utf-8");
        let csv = read(json!({"content": "é", "filename": "a.csv"})).unwrap();
        assert_eq!(csv.media_type(), "text/csv; charset=utf-8");
        let given =
            |t: &str| read(json!({"content": "é", "filename": "a", "contentType": t})).unwrap().media_type();
        assert_eq!(given("text/plain"), "text/plain; charset=utf-8");
        assert_eq!(given("text/plain;\tcharset=latin1"), "text/plain; charset=latin1");
        assert_eq!(given("application/xml"), "application/xml");
        for (name, want) in [
            ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("a.ics", "text/calendar"),
            ("a.eml", "message/rfc822"),
            ("a.mht", "application/octet-stream"),
            ("a.jpg", "image/jpeg"),
            ("a.svg", "image/svg+xml"),
            ("a.gz", "application/gzip"),
            ("a.heic", "image/heic"),
            ("a.odt", "application/vnd.oasis.opendocument.text"),
            ("a.unheard-of", "application/octet-stream"),
            ("a", "application/octet-stream"),
            ("pdf", "application/octet-stream"),
        ] {
            assert_eq!(Attachment::bytes("x").filename(name).media_type(), want, "{name}");
        }
        let inline = read(json!({"blob": 0, "contentId": "<logo@x>", "contentType": "image/png"})).unwrap();
        assert_eq!((inline.inline_id(), inline.media_type().as_str()), (Some("logo@x"), "image/png"));
    }

    #[test]
    fn mistakes_name_the_field() {
        for (value, field) in [
            (json!(1), "attachments[0]"),
            (json!(""), "attachments[0].path"),
            (json!("a\nb"), "attachments[0].path"),
            (json!({}), "attachments[0]"),
            (json!({"path": "a", "blob": 0}), "attachments[0]"),
            (json!({"blob": 1}), "attachments[0].blob"),
            (json!({"blob": -1}), "attachments[0].blob"),
            (json!({"blob": 0, "filename": "a\r\nb"}), "attachments[0].filename"),
            (json!({"blob": 0, "contentType": "pdf"}), "attachments[0].contentType"),
            (json!({"blob": 0, "contentType": "a/b\r\nX: y"}), "attachments[0].contentType"),
            (json!({"blob": 0, "contentType": "multipart/mixed"}), "attachments[0].contentType"),
            (json!({"blob": 0, "contentId": "a b"}), "attachments[0].contentId"),
            (json!({"blob": 0, "contentId": "a>\r\nX: y"}), "attachments[0].contentId"),
            (json!({"blob": 0, "fileName": "x"}), "attachments[0].fileName"),
        ] {
            assert_eq!(read(value.clone()).unwrap_err().field(), Some(field), "{value}");
        }
    }
}
