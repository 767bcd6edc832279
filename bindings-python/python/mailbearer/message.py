"""Messages: from fields, from finished MIME, and from the standard library's own objects."""

from __future__ import annotations

import os
import sys

from . import errors
from ._native import Message as NativeMessage
from ._options import is_mapping, mailbox
from ._record import Record
from .receipt import Envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage
    from email.message import Message as LegacyMessage
    from pathlib import Path
    from typing import Any, BinaryIO

    from typing_extensions import Unpack

    from ._native import Mailer as NativeMailer
    from .options import MessageFields, Requests


class Attachment(Record):
    """A file or octets beside the text.

    A path is read when the message is sent. An open file, or whatever has a ``read(n)`` that gives bytes, is
    read once, from where it stands, when the server wants the message: a send that fails after that is not
    repeated, and such a message cannot be pickled. `size` is how many octets it has: a server with a limit
    is told ahead, and a file with more or fewer is not delivered. `content_id` makes it part of the HTML,
    which refers to it as ``cid:…``. `size` is for open files only.
    """

    __slots__ = ("source", "filename", "content_type", "content_id", "size")
    #: A path, the octets, or an open file.
    source: str | bytes | BinaryIO
    filename: str | None
    content_type: str | None
    content_id: str | None
    size: int | None

    def __init__(
        self,
        source: str | Path | bytes | BinaryIO,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        content_id: str | None = None,
        size: int | None = None,
    ) -> None:
        taken: str | bytes | BinaryIO
        if isinstance(source, (bytes, bytearray, memoryview)):
            taken = bytes(source)
        elif isinstance(source, (str, os.PathLike)):
            taken = os.fsdecode(source)
        elif hasattr(source, "read"):
            if hasattr(source, "encoding"):
                raise errors.invalid_message("attachments", "an attachment's file is opened as text", 'Open it with "rb".')
            taken = source
            name = getattr(source, "name", None)
            if filename is None and isinstance(name, str):
                filename = os.path.basename(name)
        else:
            raise TypeError(f"an attachment is a path, bytes or a binary file, not {type(source).__name__}")
        super().__init__(source=taken, filename=filename, content_type=content_type, content_id=content_id, size=size)

    def __repr__(self) -> str:
        shown = f"{len(self.source)} octets" if isinstance(self.source, bytes) else self.source
        return f"Attachment({shown!r}, filename={self.filename!r}, content_type={self.content_type!r})"


class _Once:
    """An open file that is read from where it stands, and not again unless somebody put it back."""

    __slots__ = ("file", "begun")

    def __init__(self, file: Any) -> None:
        self.file, self.begun = file, False

    def read(self, size: int) -> Any:
        if not self.begun:
            if _left.get(self.file, _NEVER) == _position(self.file):
                raise ValueError("it was read before: open it anew, or put it back with seek(0)")
            self.begun = True
        piece = self.file.read(size)
        _left[self.file] = _position(self.file)
        return piece


def _position(file: Any) -> Any:
    try:
        return file.tell()
    except (AttributeError, OSError, ValueError):
        return None


class _Left:
    """Where files were left when they were read last; those that cannot be remembered are not."""

    def __init__(self) -> None:
        self.weak: Any = None

    def get(self, file: Any, default: Any) -> Any:
        try:
            return default if self.weak is None else self.weak.get(file, default)
        except TypeError:
            return default

    def __setitem__(self, file: Any, position: Any) -> None:
        if self.weak is None:
            from weakref import WeakKeyDictionary

            self.weak = WeakKeyDictionary()
        try:
            self.weak[file] = position
        except TypeError:
            pass


_NEVER = object()
_left = _Left()


class Message:
    """A message: data, with its Message-ID and Date from the moment it is made.

    They survive pickling and resending, so a job queue that tries again sends the same message.
    """

    __slots__ = ("_native",)
    _native: NativeMessage

    def __init__(self, **fields: Unpack[MessageFields]) -> None:
        object.__setattr__(self, "_native", NativeMessage(*_parts(fields)))

    @classmethod
    def raw(
        cls,
        mime: bytes | EmailMessage | LegacyMessage,
        *,
        envelope: Envelope | None = None,
        tag: str | None = None,
        **requests: Unpack[Requests],
    ) -> Message:
        """Finished MIME. Bcc is removed, Message-ID and Date are added if absent, line ends repaired;
        nothing else changes. Without `envelope` the headers say who sends and who receives. `dsn`,
        `require_tls`, `hold_for` and `hold_until` are those of `MessageFields`."""
        octets = mime if isinstance(mime, (bytes, bytearray, memoryview)) else _octets(mime)
        fields: dict[str, Any] = {**_parts(requests)[0], "raw": {"blob": 0}}
        if envelope is not None:
            fields["envelope"] = _envelope(envelope)
        if tag is not None:
            fields["tag"] = tag
        return _restore(fields, [bytes(octets)])

    @property
    def message_id(self) -> str:
        """With angle brackets."""
        return self._native.message_id

    @property
    def tag(self) -> str | None:
        """Your own string: it comes back in receipts, errors and events."""
        return self._native.tag

    def to_bytes(self) -> bytes:
        """The octets as they would be sent, without a mailer's defaults. Reads attached files."""
        return self._native.to_bytes()

    def to_dict(self) -> dict[str, Any]:
        """The fields as core understood them; octets as ``bytes``."""
        fields, blobs = self._native.parts()
        if "raw" in fields:
            fields["raw"] = blobs[0]
        for attachment in fields.get("attachments") or ():
            if isinstance(attachment, dict) and "blob" in attachment:
                attachment["content"] = blobs[attachment.pop("blob")]
        return fields

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Message cannot be changed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        if self is other:
            return True
        try:
            return self._native.parts() == other._native.parts()
        except errors.MessageError:
            # One of them has an open file, and is equal to nothing but itself.
            return False

    def __hash__(self) -> int:
        return hash(self.message_id)

    def __repr__(self) -> str:
        return f"Message(message_id={self.message_id!r}, tag={self.tag!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, self._native.parts()


def as_message(mailer: NativeMailer, value: Any, envelope: Envelope | None = None) -> Message:
    """Whatever `send` takes as a message. Fields become one that `mailer` will send."""
    if isinstance(value, Message):
        if envelope is None:
            return value
        return _wrap(value._native.with_envelope(envelope.mail_from, list(envelope.rcpt_to)))
    if isinstance(value, (bytes, bytearray, memoryview)) or _is_email(value):
        return Message.raw(value, envelope=envelope)
    if is_mapping(value):
        fields = dict(value) if envelope is None else {**value, "envelope": envelope}
        return _wrap(mailer.message(*_parts(fields)))
    raise TypeError(
        f"a message is a Message, an EmailMessage, bytes or a dictionary of fields, not {type(value).__name__}"
    )


def choose(mailer: NativeMailer, message: Any, fields: dict[str, Any]) -> Message:
    """The message of one `send`: given whole, with an envelope or without, or as fields."""
    if message is None:
        return as_message(mailer, fields)
    envelope = fields.pop("envelope", None)
    if fields:
        raise TypeError(f"send takes a message or fields, not both: {', '.join(fields)}")
    return as_message(mailer, message, envelope)


def addresses_of(message: EmailMessage | LegacyMessage) -> list[str]:
    """The recipients that the headers name, those of the latest resending first, as smtplib reads them."""
    from email.utils import getaddresses

    prefix = "Resent-" if message.get("Resent-Date") is not None else ""
    values = [str(value) for name in ("To", "Cc", "Bcc") for value in message.get_all(prefix + name, [])]
    return [address for _, address in getaddresses(values) if address]


def sender_of(message: EmailMessage | LegacyMessage) -> str:
    """The reverse-path that the headers name, as smtplib reads them."""
    from email.utils import getaddresses

    prefix = "Resent-" if message.get("Resent-Date") is not None else ""
    value = message.get(prefix + "Sender") or message.get(prefix + "From") or ""
    return next((address for _, address in getaddresses([str(value)]) if address), "")


def _parts(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    out: dict[str, Any] = {}
    blobs: list[Any] = []
    for key, value in fields.items():
        name = "from" if key == "from_" else key
        if value is None:
            continue
        if name in _MAILBOXES:
            out[name] = _mailboxes(value, name)
        elif name == "attachments":
            many = value if isinstance(value, (list, tuple)) else [value]
            out[name] = [_attachment(item, blobs) for item in many]
        elif name == "envelope":
            out[name] = _envelope(value)
        else:
            out[name] = _plain(value, name)
    return out, blobs


def _mailboxes(value: Any, field: str) -> Any:
    single = isinstance(value, str) or is_mapping(value) or hasattr(value, "addr_spec")
    if single or (isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value)):
        return mailbox(value, field, errors.invalid_message)
    try:
        items = list(value)
    except TypeError:
        return mailbox(value, field, errors.invalid_message)
    return [mailbox(item, field, errors.invalid_message) for item in items]


def _attachment(item: Any, blobs: list[Any]) -> Any:
    if isinstance(item, (str, os.PathLike)):
        return os.fsdecode(item)
    if isinstance(item, Attachment):
        given: dict[str, Any] = {
            "filename": item.filename,
            "content_type": item.content_type,
            "content_id": item.content_id,
            "size": item.size,
        }
        out = {name: value for name, value in given.items() if value is not None}
        content: Any = item.source
        if isinstance(content, str):
            return {**out, "path": content}
    elif is_mapping(item):
        out = {name: _plain(value, "attachments") for name, value in item.items() if name != "content"}
        content = item.get("content")
        if content is None or isinstance(content, str):
            return out if content is None else {**out, "content": content}
    else:
        kind = type(item).__name__
        hint = "Give a path, or wrap octets and open files in Attachment."
        raise errors.invalid_message("attachments", f"`attachments`: a {kind} is no attachment", hint)
    if hasattr(content, "read"):
        if hasattr(content, "encoding"):
            raise errors.invalid_message("attachments", "an attachment's file is opened as text", 'Open it with "rb".')
        blobs.append(_Once(content))
    elif isinstance(content, (bytes, bytearray, memoryview)):
        blobs.append(bytes(content))
    else:
        kind = type(content).__name__
        raise errors.invalid_message("attachments", f"an attachment's content is bytes or an open file, not a {kind}")
    return {**out, "blob": len(blobs) - 1}


def _plain(value: Any, field: str) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if is_mapping(value):
        return {str(key): _plain(item, field) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, field) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode()
    if hasattr(value, "isoformat"):
        # Core refuses one without an offset.
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise errors.invalid_message(field, f"`{field}`: a {type(value).__name__} is no value for it")


def _envelope(value: Any) -> dict[str, Any]:
    if isinstance(value, Envelope):
        return {"mail_from": value.mail_from, "rcpt_to": list(value.rcpt_to)}
    if is_mapping(value):
        return {name: _plain(item, "envelope") for name, item in value.items()}
    raise errors.invalid_message("envelope", f"`envelope`: a {type(value).__name__} is no Envelope")


def _is_email(value: Any) -> bool:
    module = sys.modules.get("email.message")
    return module is not None and isinstance(value, module.Message)


def _octets(message: Any) -> bytes:
    """A standard library message as MIME; with UTF-8 headers only if an address needs them."""
    if not _is_email(message):
        raise TypeError(f"finished MIME is bytes or an EmailMessage, not {type(message).__name__}")
    import io
    from email import policy
    from email.generator import BytesGenerator
    from email.message import EmailMessage

    names = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-To", "Resent-Cc", "Resent-Bcc")
    out = io.BytesIO()
    if isinstance(message, EmailMessage):
        headers = [value for name in names for value in message.get_all(name, [])]
        mailboxes = [one for value in headers for one in getattr(value, "addresses", ())]
        wide = any(not one.addr_spec.isascii() for one in mailboxes)
        rules = policy.SMTPUTF8 if wide else policy.SMTP
        BytesGenerator(out, mangle_from_=False, policy=rules).flatten(message)
    else:
        BytesGenerator(out, mangle_from_=False).flatten(message, linesep="\r\n")
    return out.getvalue()


def _wrap(native: NativeMessage) -> Message:
    made = Message.__new__(Message)
    object.__setattr__(made, "_native", native)
    return made


def _restore(fields: dict[str, Any], blobs: list[bytes | BinaryIO]) -> Message:
    return _wrap(NativeMessage(fields, blobs))


_MAILBOXES = {"from", "sender", "reply_to", "to", "cc", "bcc"}
