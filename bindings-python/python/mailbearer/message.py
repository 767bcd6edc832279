"""Messages: from fields, from finished MIME, and from the standard library's own objects."""

from __future__ import annotations

import os
import sys

from . import errors
from ._native import Message as NativeMessage
from ._values import duration, is_mapping, is_pair, mailbox, plain
from .attachment import Attachment
from .receipt import Envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage
    from email.message import Message as LegacyMessage
    from typing import Any, BinaryIO

    from typing_extensions import Unpack

    from ._native import Mailer as NativeMailer
    from .options import MessageFields, Requests


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
        content = mime if isinstance(mime, (bytes, bytearray, memoryview)) else _octets(mime)
        fields: dict[str, Any] = {**_parts(requests)[0], "raw": {"blob": 0}}
        if envelope is not None:
            fields["envelope"] = _envelope(envelope)
        if tag is not None:
            fields["tag"] = tag
        return _restore(fields, [bytes(content)])

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
    if is_mapping(value) and not _is_email(value):
        fields = dict(value) if envelope is None else {**value, "envelope": envelope}
        return _wrap(mailer.message(*_parts(fields)))
    return _finished(value, envelope)


def choose(mailer: NativeMailer, message: Any, fields: dict[str, Any]) -> Message:
    """The message of one `send`: given whole, with an envelope or without, or as fields."""
    envelope = None
    if message is not None:
        envelope = fields.pop("envelope", None)
        if fields:
            raise TypeError(f"send takes a message or fields, not both: {', '.join(fields)}")
    given = fields if message is None else message
    try:
        return as_message(mailer, given, envelope)
    except errors.MessageError as error:
        mailer.refuse(error.to_dict(), tag_of(given))
        raise


def tag_of(given: Any) -> str | None:
    """The tag of a message that cannot be built, unless the tag is what is wrong."""
    tag = given.get("tag") if isinstance(given, dict) else None
    return tag if isinstance(tag, str) and tag.isprintable() else None


def _finished(value: Any, envelope: Envelope | None = None) -> Message:
    if isinstance(value, (bytes, bytearray, memoryview)) or _is_email(value):
        return Message.raw(value, envelope=envelope)
    raise TypeError(
        f"a message is a Message, an EmailMessage, bytes or a dictionary of fields, not {type(value).__name__}"
    )


def _parts(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    out: dict[str, Any] = {}
    blobs: list[Any] = []
    for key, value in fields.items():
        name = "from" if key == "from_" else key
        if value is None:
            continue
        if name in _MAILBOXES:
            out[name] = _mailboxes(value, name)
        elif name == "raw" and not isinstance(value, str) and not is_mapping(value):
            # Octets are octets: no charset is assumed.
            content = value if isinstance(value, (bytes, bytearray, memoryview)) else _octets(value)
            out[name] = {"blob": _blob(content, blobs)}
        elif name == "hold_for":
            out[name] = duration(value)
        elif name == "attachments":
            many = value if isinstance(value, (list, tuple)) else [value]
            out[name] = [_attachment(item, blobs) for item in many]
        elif name == "envelope":
            out[name] = _envelope(value)
        else:
            out[name] = plain(value, name, errors.invalid_message)
    return out, blobs


def _mailboxes(value: Any, field: str) -> Any:
    single = isinstance(value, str) or is_mapping(value) or hasattr(value, "addr_spec")
    if single or is_pair(value):
        return mailbox(value, field, errors.invalid_message)
    try:
        items = list(value)
    except TypeError:
        return mailbox(value, field, errors.invalid_message)
    return [mailbox(item, field, errors.invalid_message) for item in items if item is not None]


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
        out = {name: plain(value, "attachments", errors.invalid_message) for name, value in item.items() if name != "content"}
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
        from ._open_file import ReadOnce

        blobs.append(ReadOnce(content))
    elif isinstance(content, (bytes, bytearray, memoryview)):
        _blob(content, blobs)
    else:
        kind = type(content).__name__
        raise errors.invalid_message("attachments", f"an attachment's content is bytes or an open file, not a {kind}")
    return {**out, "blob": len(blobs) - 1}


def _blob(octets: bytes | bytearray | memoryview, blobs: list[Any]) -> int:
    blobs.append(bytes(octets))
    return len(blobs) - 1


def _envelope(value: Any) -> dict[str, Any]:
    if isinstance(value, Envelope):
        return {"mail_from": value.mail_from, "rcpt_to": list(value.rcpt_to)}
    if is_mapping(value):
        return {name: plain(item, "envelope", errors.invalid_message) for name, item in value.items()}
    raise errors.invalid_message("envelope", f"`envelope`: a {type(value).__name__} is no Envelope")


def _is_email(value: Any) -> bool:
    # A program that never imported the standard library's messages has none.
    module = sys.modules.get("email.message")
    return module is not None and isinstance(value, module.Message)


def _octets(message: Any) -> bytes:
    if not _is_email(message):
        raise TypeError(f"finished MIME is bytes or an EmailMessage, not {type(message).__name__}")
    from ._email import octets

    return octets(message)


def _wrap(native: NativeMessage) -> Message:
    made = Message.__new__(Message)
    object.__setattr__(made, "_native", native)
    return made


def _restore(fields: dict[str, Any], blobs: list[bytes | BinaryIO]) -> Message:
    return _wrap(NativeMessage(fields, blobs))


_MAILBOXES = {"from", "sender", "reply_to", "to", "cc", "bcc"}
