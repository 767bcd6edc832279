//! Attachments: where their octets come from, what they are called and what they are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use lettre::message::header::ContentType;
use serde_json::{Map, Value, json};

use super::place::{Place, Reader, no_controls};
use crate::config::FilePolicy;
use crate::error::{Error, ErrorCode, Result};

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
    source: Source,
    filename: Option<String>,
    content_type: Option<String>,
    content_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    Path(PathBuf),
    Bytes(Bytes),
}

impl Attachment {
    /// A local file, read when the message is sent. The option `files` may forbid it.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::new(Source::Path(path.into()))
    }

    /// Octets in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(Source::Bytes(bytes.into()))
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

    /// Reads a path, or `{path | blob | content, filename, content_type, content_id}`.
    pub(crate) fn read(value: Value, place: &Place, blobs: &[Bytes]) -> Result<Self> {
        if let Value::String(path) = value {
            return Self::path(path).check(place);
        }
        let known = ["path", "blob", "content", "filename", "content_type", "content_id"];
        let mut reader = Reader::new(value, place.clone(), &known)?;
        let path = reader.text("path")?;
        let blob =
            reader.take("blob").map(|index| find_blob(&index, &reader.at("blob"), blobs)).transpose()?;
        let content = reader.text("content")?;
        let is_text = content.is_some();
        let mut out = match (path, blob, content) {
            (Some(path), None, None) => Self::path(path),
            (None, Some(blob), None) => Self::bytes(blob),
            (None, None, Some(content)) => Self::bytes(content.into_bytes()),
            _ => {
                let content = place.spell("content");
                return Err(place.error(format!("needs either `path` or `{content}`")));
            }
        };
        out.filename = reader.text("filename")?;
        out.content_type = reader.text("content_type")?;
        out.content_id = reader.text("content_id")?;
        if is_text && out.content_type.is_none() {
            // What came as text is UTF-8, and only here is that known.
            out.content_type = match out.media_type() {
                _ if out.filename.is_none() => Some("text/plain; charset=utf-8".to_owned()),
                text if text.starts_with("text/") => Some(format!("{text}; charset=utf-8")),
                _ => None,
            };
        }
        out.check(place)
    }

    /// Refuses what cannot stand in a header; takes the angle brackets off the content id.
    pub(crate) fn check(mut self, place: &Place) -> Result<Self> {
        if let Source::Path(path) = &self.source {
            let at = place.field("path");
            if path.as_os_str().is_empty() {
                return Err(at.error("is empty"));
            }
            // Its last part becomes the file name.
            no_controls(&path.to_string_lossy(), &at)?;
        }
        if let Some(name) = &self.filename {
            let at = place.field("filename");
            no_controls(name, &at)?;
            if name.is_empty() {
                return Err(at.error("is empty"));
            }
        }
        if let Some(media_type) = &self.content_type {
            check_media_type(media_type, &place.field("content_type"))?;
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

    /// Its octets now. Blocks on the file system.
    pub(crate) fn load(&self, policy: &FilePolicy, place: &Place) -> Result<Bytes> {
        match &self.source {
            Source::Bytes(bytes) => Ok(bytes.clone()),
            Source::Path(path) => read_file(&allowed(path, policy, place)?, place),
        }
    }

    /// The octets it holds in memory; `None` for a path.
    pub(crate) fn in_memory(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes),
            Source::Path(_) => None,
        }
    }

    /// The content id, without angle brackets.
    pub(crate) fn inline_id(&self) -> Option<&str> {
        self.content_id.as_deref()
    }

    /// The name the recipient sees.
    pub(crate) fn shown_name(&self) -> Option<String> {
        self.filename.clone().or_else(|| match &self.source {
            Source::Path(path) => path.file_name().map(|n| n.to_string_lossy().into_owned()),
            Source::Bytes(_) => None,
        })
    }

    /// The media type: as given, else by the name.
    pub(crate) fn media_type(&self) -> String {
        if let Some(given) = &self.content_type {
            return given.clone();
        }
        let name = self.shown_name().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, e)| e).to_ascii_lowercase();
        let known = MEDIA_TYPES.iter().find(|(e, _)| *e == extension);
        known.map_or("application/octet-stream", |(_, t)| t).to_owned()
    }

    /// As [`Attachment::read`] takes it; octets go into `blobs`.
    pub(crate) fn to_json(&self, blobs: &mut Vec<Bytes>) -> Value {
        let mut out = Map::new();
        match &self.source {
            Source::Path(path) => out.insert("path".to_owned(), json!(path.to_string_lossy())),
            Source::Bytes(bytes) => {
                blobs.push(bytes.clone());
                out.insert("blob".to_owned(), json!(blobs.len() - 1))
            }
        };
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

    fn new(source: Source) -> Self {
        Self { source, filename: None, content_type: None, content_id: None }
    }
}

/// The octets that `index` stands for.
pub(crate) fn find_blob(index: &Value, place: &Place, blobs: &[Bytes]) -> Result<Bytes> {
    let at = index.as_u64().and_then(|i| usize::try_from(i).ok());
    at.and_then(|i| blobs.get(i)).cloned().ok_or_else(|| place.error("is not the index of a blob"))
}

fn check_media_type(text: &str, place: &Place) -> Result<()> {
    no_controls(text, place)?;
    let plain = text.len() <= 500 && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if !plain || ContentType::parse(text).is_err() || !text.contains('/') {
        return Err(place.error("is not a media type").with_hint("Write it like `application/pdf`."));
    }
    if text.trim_start().to_ascii_lowercase().starts_with("multipart/") {
        return Err(place
            .error("cannot be a multipart type")
            .with_hint("Send a finished multipart message as raw MIME instead."));
    }
    Ok(())
}

/// The path to open, if the policy lets it be read.
fn allowed(path: &Path, policy: &FilePolicy, place: &Place) -> Result<PathBuf> {
    let folders = match policy {
        FilePolicy::Allow => return Ok(path.to_owned()),
        FilePolicy::Deny => {
            return Err(place
                .error("names a local file, and the option `files` is `deny`")
                .with_hint("Give the attachment as bytes."));
        }
        FilePolicy::Folders(folders) => folders,
    };
    // Links are followed first: one inside a folder may lead out of it.
    let real = fs::canonicalize(path).map_err(|e| unreadable(path, &e.to_string(), place))?;
    let inside = folders.iter().filter_map(|f| fs::canonicalize(f).ok()).any(|f| real.starts_with(f));
    if inside {
        return Ok(real);
    }
    Err(place
        .error("names a file outside the folders in the option `files`")
        .with_hint("Give the attachment as bytes, or add its folder to `files`."))
}

fn read_file(path: &Path, place: &Place) -> Result<Bytes> {
    let wrap = |e: io::Error| unreadable(path, &e.to_string(), place);
    let regular = |meta: &fs::Metadata| match meta.is_file() {
        true => Ok(()),
        false if meta.is_dir() => Err(unreadable(path, "it is a folder", place)),
        false => Err(unreadable(path, "it is not a regular file", place)),
    };
    // Looked at before it is opened: opening a FIFO waits for a writer.
    regular(&fs::metadata(path).map_err(wrap)?)?;
    let file = File::open(path).map_err(wrap)?;
    let meta = file.metadata().map_err(wrap)?;
    regular(&meta)?;
    // A file that grows meanwhile is read up to the size it had; /proc's files say 0.
    let limit = if meta.len() == 0 { 64 << 20 } else { meta.len() };
    let mut out = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.take(limit).read_to_end(&mut out).map_err(wrap)?;
    Ok(out.into())
}

fn unreadable(path: &Path, why: &str, place: &Place) -> Error {
    let path = path.display().to_string();
    let message = format!("`{}` cannot be read from `{}`: {why}", place.path(), path.escape_debug());
    Error::new(ErrorCode::AttachmentUnreadable, message).with_field(place.path())
}

const MEDIA_TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webp", "image/webp"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Spelling;

    fn place() -> Place {
        Place::top(Spelling::Camel).field("attachments").index(0)
    }

    fn read(value: Value) -> Result<Attachment> {
        Attachment::read(value, &place(), &[Bytes::from_static(b"blob")])
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
        let inline = read(json!({"blob": 0, "content_id": "<logo@x>", "content_type": "image/png"})).unwrap();
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
            (json!({"blob": 0, "content_type": "pdf"}), "attachments[0].contentType"),
            (json!({"blob": 0, "content_type": "a/b\r\nX: y"}), "attachments[0].contentType"),
            (json!({"blob": 0, "content_type": "multipart/mixed"}), "attachments[0].contentType"),
            (json!({"blob": 0, "content_id": "a b"}), "attachments[0].contentId"),
            (json!({"blob": 0, "content_id": "a>\r\nX: y"}), "attachments[0].contentId"),
            (json!({"blob": 0, "file_name": "x"}), "attachments[0].fileName"),
        ] {
            assert_eq!(read(value.clone()).unwrap_err().field(), Some(field), "{value}");
        }
    }

    #[test]
    fn files_are_read_as_the_policy_says() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(inside.join("a"), "A").unwrap();
        fs::write(outside.join("b"), "B").unwrap();
        let load = |path: PathBuf, policy: &FilePolicy| Attachment::path(path).load(policy, &place());
        let folders = FilePolicy::Folders(vec![inside.clone()]);
        assert_eq!(load(inside.join("a"), &folders).unwrap(), "A");
        assert_eq!(load(outside.join("b"), &FilePolicy::Allow).unwrap(), "B");
        for path in [outside.join("b"), inside.join("../out/b")] {
            let error = load(path, &folders).unwrap_err();
            assert_eq!(error.code(), ErrorCode::MessageInvalid);
        }
        let error = load(inside.join("a"), &FilePolicy::Deny).unwrap_err();
        assert_eq!((error.code(), error.field()), (ErrorCode::MessageInvalid, Some("attachments[0]")));
        for (path, why) in [(inside.join("none"), "No such file"), (inside, "folder")] {
            let error = load(path, &FilePolicy::Allow).unwrap_err();
            assert_eq!(error.code(), ErrorCode::AttachmentUnreadable);
            assert!(error.message().contains(why), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out_and_devices_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("in");
        fs::create_dir(&inside).unwrap();
        fs::write(dir.path().join("secret"), "S").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), inside.join("link")).unwrap();
        let folders = FilePolicy::Folders(vec![inside.clone()]);
        let error = Attachment::path(inside.join("link")).load(&folders, &place()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::MessageInvalid);
        let error = Attachment::path("/dev/zero").load(&FilePolicy::Allow, &place()).unwrap_err();
        assert!(error.message().contains("not a regular file"), "{error}");
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let error = Attachment::path(fifo).load(&FilePolicy::Allow, &place()).unwrap_err();
        assert!(error.message().contains("not a regular file"), "{error}");
    }
}
