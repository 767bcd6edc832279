"""Tokens for the standard library's own clients.

Both answer an error challenge with nothing, as the mechanism wants it, so that the server's final word
can be read; the token that was refused is not given again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .access_token import AccessToken

    class Source(Protocol):
        """A `mailbearer.TokenSource`, or what gives tokens like one."""

        def get(self) -> AccessToken: ...
        def invalidate(self, token: AccessToken) -> None: ...



class _Answers:
    """One sign-in: the token first, then nothing."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._given: AccessToken | None = None

    def answer(self, challenge: bytes | None) -> str:
        if challenge and self._given is not None:
            self._source.invalidate(self._given)
            return ""
        self._given = self._source.get()
        return self._given.xoauth2()


def smtplib_auth(source: Source) -> Callable[..., str]:
    """An ``authobject`` of `smtplib.SMTP.auth` for XOAUTH2."""
    answers = _Answers(source)

    def authobject(challenge: bytes | None = None) -> str:
        return answers.answer(challenge)

    return authobject


def imaplib_auth(source: Source) -> Callable[[bytes], bytes]:
    """An ``authobject`` of `imaplib.IMAP4.authenticate` for XOAUTH2."""
    answers = _Answers(source)

    def authobject(challenge: bytes) -> bytes:
        return answers.answer(challenge).encode()

    return authobject
