"""An access token, and the request for one that a token callback gets."""

from __future__ import annotations

from ._record import Record, epoch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from typing import Any

    from . import _native


class TokenRequest(Record):
    """What is asked of a token callback."""

    __slots__ = ("username", "scopes", "force")
    #: The mailbox.
    username: str | None
    scopes: tuple[str, ...]
    #: The token given last was refused: bring a new one.
    force: bool


class AccessToken:
    """An access token. Its ``repr`` shows no secret."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.AccessToken) -> None:
        self._native = native

    @property
    def secret(self) -> str:
        """The token itself."""
        return self._native.secret

    @property
    def username(self) -> str | None:
        """The mailbox it is for, where known."""
        return self._native.username

    @property
    def scopes(self) -> tuple[str, ...]:
        """Its scopes, as far as the service said."""
        return tuple(self._native.scopes)

    @property
    def expires_at(self) -> dt.datetime | None:
        """When it expires; ``None`` if nobody said."""
        at = self._native.expires_at
        return None if at is None else epoch(at)

    @property
    def claims(self) -> Mapping[str, Any] | None:
        """The JWT's claims, unverified, for diagnosis; ``None`` if it is no JWT."""
        return self._native.claims

    def xoauth2(self, username: str | None = None) -> str:
        """The XOAUTH2 response as plain text: what smtplib's authobjects return."""
        return self._native.xoauth2(username)

    def xoauth2_base64(self, username: str | None = None) -> str:
        """The same in base64, as it goes over the wire."""
        return self._native.xoauth2_base64(username)

    def oauthbearer(self, host: str, port: int, username: str | None = None) -> str:
        """The OAUTHBEARER response as plain text (RFC 7628 §3.1)."""
        return self._native.oauthbearer(host, port, username)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccessToken) and self.secret == other.secret

    def __hash__(self) -> int:
        return hash(self.secret)

    def __repr__(self) -> str:
        return f"AccessToken(username={self.username!r}, expires_at={self.expires_at!r})"

    def __reduce__(self) -> Any:
        raise TypeError("an AccessToken cannot be pickled: it is a secret; get one where it is needed")
