"""The one error shape and its classes, by group of the table of codes."""

from __future__ import annotations

from ._native import make_error
from ._record import Record, plain
from .reply import Rejection, Reply
from .report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal
    from typing_extensions import Self

    from .words import ErrorCode


class OAuthDetail(Record):
    """What the sign-in service said when it refused (RFC 6749 §5.2, with Entra's and Google's extras)."""

    __slots__ = ("error", "description", "suberror", "codes", "correlation_id", "trace_id", "claims")
    #: Such as ``invalid_grant``.
    error: str
    description: str
    suberror: str | None
    #: Entra's AADSTS numbers.
    codes: tuple[int, ...]
    #: What Microsoft's support asks for.
    correlation_id: str | None
    trace_id: str | None
    #: A claims challenge, to be passed to the next sign-in.
    claims: str | None

    @classmethod
    def from_core(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "codes": tuple(data["codes"])})


class Error(Exception):
    """Why something did not work; the base of all errors of this package. Never holds a secret.

    ``str(error)`` is the message followed by the hint. It compares by value, can be pickled, and can be made
    again from its ``args``, which are plain data (Celery's JSON results do that).
    """

    #: The stable code, such as ``auth_rejected``.
    code: ErrorCode
    #: Its stable number.
    number: int
    #: What happened: lower case, without full stop.
    message: str
    #: The cure, as a sentence or a command, where one is known.
    hint: str | None
    #: The page that explains the code.
    docs_url: str
    #: The option (dotted path) or message field at fault.
    field: str | None
    #: The same call may be repeated without delivering twice.
    retryable: bool
    #: Seconds that the server asked to wait.
    retry_after: float | None
    #: ``uncertain``: the server may have taken the message; its answer was never read.
    delivery: Literal["none", "uncertain"]
    message_id: str | None
    #: Your own string for the message.
    tag: str | None
    #: How many times a send was tried; 0 where nothing was sent.
    attempts: int
    #: The refused recipients, where that is the reason.
    rejected: tuple[Rejection, ...]
    #: The SMTP reply, where there was one.
    smtp: Reply | None
    #: The sign-in service's answer, where there was one.
    oauth: OAuthDetail | None
    #: The findings, on errors of `verify`.
    report: Report | None

    def __init__(self, message: str = "", details: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self.message = message
        given = {**(details or {}), **more}
        for name, default in _FIELDS.items():
            setattr(self, name, _record(name, given.pop(name, default)))
        if given:
            raise TypeError(f"an Error has no {', '.join(given)}")
        told = {name: plain(value) for name in _FIELDS if (value := getattr(self, name)) != _FIELDS[name]}
        super().__init__(message)
        self.args = (message, told)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data that `json.dumps` takes."""
        names = ("code", "number", "message", *(name for name in _FIELDS if name not in ("code", "number")))
        return {name: plain(getattr(self, name)) for name in names}

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code}: {self.message})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.code, self.message))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.to_dict())


class ConfigError(Error, ValueError):
    """An option is missing, unknown or wrong; ``field`` names it."""


class MessageError(Error, ValueError):
    """The message cannot be sent as it is; ``field`` names what is wrong."""


class TokenError(Error):
    """No token could be had."""


class LoginRequired(TokenError):
    """A person must sign in."""


class AuthError(Error):
    """The mail server refused the sign-in or the mailbox."""


class DeliveryError(Error):
    """The mail server refused the message, or its answer was never read (``delivery``)."""


class NetworkError(Error, ConnectionError):
    """No usable connection."""


class TimedOut(NetworkError, TimeoutError):
    """It took too long, and nothing was delivered."""


class StoreError(Error):
    """The token store could not be read or written."""


class Cancelled(Error):
    """The call was cancelled."""


class Closed(Error):
    """The mailer was closed."""


class InternalError(Error):
    """A fault of this library."""


def from_core(data: Mapping[str, Any]) -> Error:
    """The exception for core's data."""
    return _restore(_class_of(data["number"]), data)


def config(field: str | None, message: str, hint: str | None = None) -> Exception:
    """`ConfigError` for a mistake that only Python can see."""
    return make_error("config_invalid", field, message, hint)


def invalid_message(field: str | None, message: str, hint: str | None = None) -> Exception:
    """`MessageError` for a mistake that only Python can see."""
    return make_error("message_invalid", field, message, hint)


def _class_of(number: int) -> type[Error]:
    return _EXACT.get(number) or _GROUPS.get(number // 100, Error)


def _restore(cls: type[Error], data: Mapping[str, Any]) -> Error:
    return cls(data["message"], {name: data[name] for name in _FIELDS if name in data})


def _record(name: str, value: Any) -> Any:
    """The value of a field, which may come as plain data."""
    if name == "rejected":
        return tuple(Rejection.from_core(one) if isinstance(one, dict) else one for one in value or ())
    return _RECORDS[name].from_core(value) if name in _RECORDS and isinstance(value, dict) else value


_RECORDS: dict[str, type[Record]] = {"smtp": Reply, "oauth": OAuthDetail, "report": Report}
_FIELDS: dict[str, Any] = {
    "code": "internal",
    "number": 900,
    "hint": None,
    "docs_url": "",
    "field": None,
    "retryable": False,
    "retry_after": None,
    "delivery": "none",
    "message_id": None,
    "tag": None,
    "attempts": 0,
    "rejected": (),
    "smtp": None,
    "oauth": None,
    "report": None,
}
_EXACT: dict[int, type[Error]] = {302: LoginRequired, 604: TimedOut, 800: Cancelled, 801: Closed}
_GROUPS: dict[int, type[Error]] = {
    1: ConfigError,
    2: MessageError,
    3: TokenError,
    4: AuthError,
    5: DeliveryError,
    6: NetworkError,
    7: StoreError,
    9: InternalError,
}
