"""What a mail server answered."""

from __future__ import annotations

from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from typing_extensions import Self

    from .words import ErrorCode


class Reply(Record):
    """One SMTP reply (RFC 5321 §4.2)."""

    __slots__ = ("code", "enhanced", "text", "command")
    #: The three digits.
    code: int
    #: The enhanced status code, such as ``5.7.3`` (RFC 3463).
    enhanced: str | None
    #: The server's words.
    text: str
    #: The command it answers.
    command: str | None


class Rejection(Record):
    """A recipient that the server did not take."""

    __slots__ = ("address", "code", "reply", "retryable")
    address: str
    #: The error code that the reply stands for.
    code: ErrorCode
    reply: Reply
    #: The same recipient may be tried later.
    retryable: bool

    @classmethod
    def from_core(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "reply": Reply.from_core(data["reply"])})
