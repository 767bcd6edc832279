"""What a server's words mean, offline."""

from __future__ import annotations

from . import _native
from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


class Explanation(Record):
    """What one reply, refusal or token means. ``print(explanation)`` is made for people."""

    __slots__ = ("kind", "seen", "code", "meaning", "cure", "retryable", "recipient", "docs_url", "_text")
    kind: Literal["smtp_reply", "sign_in_refusal", "access_token"]
    #: What was recognised, such as ``535 5.7.139`` or ``AADSTS7000215``.
    seen: str
    #: The error that a send or a sign-in would end with; ``None`` for a token that is as it should be.
    code: str | None
    #: What it means.
    meaning: str
    #: What to do: a sentence or a command.
    cure: str | None
    #: Whether it may go better later, without a change.
    retryable: bool
    #: Whom a bounce is about.
    recipient: str | None
    docs_url: str | None
    _text: str

    def __str__(self) -> str:
        return self._text


def explain(text: str) -> tuple[Explanation, ...]:
    """Explains any reply line of a mail server, AADSTS message, answer of a token endpoint, bounce or access token:
    what it means and what to do. It asks nobody, and no token that stands in the text is said again. What is not
    recognised has no explanation."""
    import json

    return tuple(map(Explanation.from_core, json.loads(_native.explain(text))))
