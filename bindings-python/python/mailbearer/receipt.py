"""What became of a message."""

from __future__ import annotations

from . import errors
from ._record import Record, instant
from .reply import Rejection, Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal
    import datetime as dt
    from email.message import EmailMessage

    from typing_extensions import Self


class Envelope(Record):
    """Who sends and who receives, apart from the headers (RFC 5321 §2.3.1)."""

    __slots__ = ("mail_from", "rcpt_to")
    #: The reverse-path; empty for the null reverse-path.
    mail_from: str
    #: The forward-paths.
    rcpt_to: tuple[str, ...]

    def __init__(self, mail_from: str, rcpt_to: Sequence[str]) -> None:
        # A string is a sequence of strings too: one string is one mailbox.
        recipients = (rcpt_to,) if isinstance(rcpt_to, str) else tuple(rcpt_to)
        super().__init__(mail_from=mail_from, rcpt_to=recipients)


class Receipt(Record):
    """The server took the message for at least one recipient."""

    __slots__ = (
        "message_id",
        "server_message_id",
        "tag",
        "accepted",
        "rejected",
        "reply",
        "envelope",
        "size",
        "attempts",
        "sent_at",
        "timings",
    )
    #: Our Message-ID, with angle brackets.
    message_id: str
    #: The id in the server's reply, where it names one.
    server_message_id: str | None
    #: Your own string.
    tag: str | None
    #: Recipients that the server took.
    accepted: tuple[str, ...]
    #: Recipients that it refused, and why.
    rejected: tuple[Rejection, ...]
    #: The reply to the end of the message.
    reply: Reply
    envelope: Envelope
    #: Octets of the message as sent.
    size: int
    #: How many tries it took.
    attempts: int
    #: When the server's reply was read; aware, in UTC.
    sent_at: dt.datetime
    #: Seconds by stage: ``queue``, ``connect``, ``send``, ``total``.
    timings: Mapping[str, float]

    @classmethod
    def from_core(cls, data: Mapping[str, Any]) -> Self:
        made = {name: data[name] for name in cls.__slots__}
        made["accepted"] = tuple(data["accepted"])
        made["rejected"] = tuple(map(Rejection.from_core, data["rejected"]))
        made["reply"] = Reply.from_core(data["reply"])
        made["envelope"] = Envelope(**data["envelope"])
        made["sent_at"] = instant(data["sent_at"])
        return cls(**made)


class SendResult(Record):
    """What became of one message of a `send_many`."""

    __slots__ = ("index", "tag", "message_id", "outcome", "receipt", "error")
    #: Its place in the source, from 0.
    index: int
    #: Your own string.
    tag: str | None
    #: Empty if it could not even be built.
    message_id: str
    outcome: Literal["sent", "failed", "uncertain", "not_sent"]
    #: Where the outcome is ``sent``.
    receipt: Receipt | None
    #: Where it is not.
    error: errors.Error | None

    @classmethod
    def from_core(cls, data: Mapping[str, Any]) -> Self:
        receipt, error = data["receipt"], data["error"]
        return cls(
            **{
                **data,
                "receipt": receipt and Receipt.from_core(receipt),
                "error": error and errors.from_core(error),
            }
        )


class Counts(Record):
    """The progress of a `send_many`."""

    __slots__ = ("sent", "failed", "uncertain", "not_sent", "in_flight")
    sent: int
    failed: int
    uncertain: int
    #: Pulled but never started.
    not_sent: int
    #: Started and not yet reported.
    in_flight: int


class Kept(Record):
    """A message that ``provider="memory"`` kept instead of sending."""

    __slots__ = ("message_id", "tag", "envelope", "raw")
    message_id: str
    tag: str | None
    envelope: Envelope
    #: The octets that would have been sent.
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        """The octets, read by the standard library."""
        return parse(self.raw)


def parse(raw: bytes) -> EmailMessage:
    """MIME as the standard library reads it."""
    import email
    import email.policy

    return email.message_from_bytes(raw, policy=email.policy.default)
