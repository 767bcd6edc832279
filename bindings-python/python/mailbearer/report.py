"""What `verify` found."""

from __future__ import annotations

from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal
    from typing_extensions import Self

    from .words import ErrorCode


class Finding(Record):
    """One link of the chain from DNS to MAIL FROM."""

    __slots__ = ("link", "status", "seen", "means", "do", "code")
    #: ``dns``, ``tcp``, ``tls``, ``greeting``, ``ehlo``, ``token``, ``claims``, ``auth``, ``mail_from``, ``message``.
    link: str
    status: Literal["ok", "warning", "failed", "skipped"]
    #: What was seen.
    seen: str
    #: What that means.
    means: str
    #: What to do about it; empty where there is nothing to do.
    do: str
    #: The error code, where it failed.
    code: ErrorCode | None


class Report(Record):
    """The whole chain, in order. ``print(report)`` is made for people."""

    __slots__ = ("ok", "findings", "_text")
    #: No link failed.
    ok: bool
    findings: tuple[Finding, ...]
    _text: str

    @classmethod
    def from_core(cls, data: Mapping[str, Any]) -> Self:
        findings = tuple(map(Finding.from_core, data["findings"]))
        return cls(ok=data["ok"], findings=findings, _text=data["text"])

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, with its text."""
        return super().to_dict()

    def __str__(self) -> str:
        return self._text
