"""A mailer's tokens alone, for programs that keep their own SMTP or IMAP client."""

from __future__ import annotations

import os

from . import _native as native_module
from ._call import Client
from ._options import Given
from ._values import duration
from .access_token import AccessToken
from .login import Account, AsyncLogin, Login

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any, Literal

    from typing_extensions import Self, Unpack

    from ._host import Host
    from .options import Duration, Options


class _TokenSource(Client):
    """What both faces share."""

    _native: native_module.TokenSource

    def __init__(self, **options: Unpack[Options]) -> None:
        given = Given(options)
        del options
        self._open(given, None)

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> Self:
        """From a dictionary of options, such as a parsed file."""
        given = Given(options)
        del options
        return cls._load(given, None)

    @classmethod
    def from_file(cls, path: str | Path | None = None, *, profile: str | None = None, **overrides: Any) -> Self:
        """From a TOML file; without `path` from ``$MAILBEARER_CONFIG``, the user's or the system's.
        The environment (``MAILBEARER_…``) and `overrides` win over it."""
        given = Given(overrides)
        del overrides
        return cls._load(given, (None if path is None else os.fspath(path), profile))

    @classmethod
    def from_env(cls, prefix: str = "MAILBEARER_", **overrides: Any) -> Self:
        """From the environment: ``MAILBEARER_AUTH__CLIENT_ID`` is ``auth.client_id``. A file that
        ``MAILBEARER_CONFIG`` names lies below, `overrides` above."""
        given = Given(overrides)
        del overrides
        return cls._load(given, prefix)

    @classmethod
    def _load(cls, given: Given, places: native_module.Places | None) -> Self:
        made = cls.__new__(cls)
        made._open(given, places)
        return made

    @classmethod
    def _of_mailer(cls, native: native_module.TokenSource, host: Host) -> Self:
        made = cls.__new__(cls)
        made._native, made._host = native, host
        return made

    def _open(self, given: Given, places: native_module.Places | None) -> None:
        self._native, self._host = given.open(lambda plain, host: native_module.TokenSource(plain, host, places))
        self._drain()

    @property
    def account(self) -> Account | None:
        """Who is signed in, for grants with a person."""
        found = self._native.account()
        return None if found is None else Account.from_core(found)

    def invalidate(self, token: AccessToken | str) -> None:
        """Says that exactly this token was refused: the next `get` brings another."""
        self._native.invalidate(token if isinstance(token, str) else token.secret)

    def _cached(self, force: bool, min_remaining: str | None) -> AccessToken | None:
        found = None if force else self._native.cached(min_remaining)
        return None if found is None else AccessToken(found)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: make one from its options where it is needed")


class TokenSource(_TokenSource):
    """Gets tokens and keeps them fresh. Takes a `Mailer`'s options. Safe to use from many threads and in
    forked children."""

    def get(
        self,
        *,
        force: bool = False,
        min_remaining: Duration | None = None,
        timeout: Duration | None = None,
    ) -> AccessToken:
        """A token, from memory where it is fresh. `force` refreshes it all the same; `min_remaining` is
        the least lifetime it must have left."""
        least = duration(min_remaining)
        found = self._cached(force, least)
        return found or AccessToken(self._run(self._native.get(force, least, duration(timeout))))

    def login(
        self,
        *,
        method: Literal["authorization_code", "device_code"] | None = None,
        redirect_uri: str | None = None,
        login_hint: str | None = None,
        open_browser: bool = False,
    ) -> Login:
        """Begins a sign-in. Without `redirect_uri` call its `wait`, with one its `finish`."""
        return Login(self._run(self._native.login(method, redirect_uri, login_hint, open_browser)), self)

    def resume_login(self, saved: str) -> Login:
        """Goes on with a sign-in that another process began and saved."""
        try:
            return Login(self._native.resume_login(saved), self)
        finally:
            del saved  # It holds the verifier: no frame that may raise keeps it.

    def import_login(self, text: str, *, timeout: Duration | None = None) -> Account:
        """Takes over a sign-in that another program keeps, so that nobody need sign in again: `text` is MSAL's
        serialised cache, or a file of mutt_oauth2.py (decrypted) or sasl-xoauth2. It is tried once before it is
        kept; the other program should not go on with it."""
        job = self._native.import_login(text, duration(timeout))
        del text  # A secret: no frame that may raise keeps it.
        return Account.from_core(self._run(job))

    def logout(self) -> None:
        """Forgets the tokens, here and in the store, and tells the service where it wants to know (RFC 7009)."""
        self._run(self._native.logout())

    def smtplib_auth(self) -> Callable[..., str]:
        """For ``smtplib.SMTP.auth("XOAUTH2", source.smtplib_auth())``."""
        from . import adapters

        return adapters.smtplib_auth(self)

    def imaplib_auth(self) -> Callable[[bytes], bytes]:
        """For ``imaplib.IMAP4.authenticate("XOAUTH2", source.imaplib_auth())``."""
        from . import adapters

        return adapters.imaplib_auth(self)

    def close(self) -> None:
        """Refuses further calls with `Closed`."""
        self._native.close()
        self._drain()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class AsyncTokenSource(_TokenSource):
    """Gets tokens and keeps them fresh. Takes a `Mailer`'s options. Works from several loops in turn."""

    async def get(
        self,
        *,
        force: bool = False,
        min_remaining: Duration | None = None,
        timeout: Duration | None = None,
    ) -> AccessToken:
        """A token, from memory where it is fresh. `force` refreshes it all the same; `min_remaining` is
        the least lifetime it must have left."""
        least = duration(min_remaining)
        found = self._cached(force, least)
        return found or AccessToken(await self._wait(self._native.get(force, least, duration(timeout))))

    async def secret(self) -> str:
        """The token's text alone: for ``aiosmtplib.SMTP(oauth_token_generator=source.secret)``."""
        return (await self.get()).secret

    async def login(
        self,
        *,
        method: Literal["authorization_code", "device_code"] | None = None,
        redirect_uri: str | None = None,
        login_hint: str | None = None,
    ) -> AsyncLogin:
        """Begins a sign-in. Without `redirect_uri` await its `wait`, with one its `finish`."""
        return AsyncLogin(await self._wait(self._native.login(method, redirect_uri, login_hint, False)), self)

    def resume_login(self, saved: str) -> AsyncLogin:
        """Goes on with a sign-in that another process began and saved."""
        try:
            return AsyncLogin(self._native.resume_login(saved), self)
        finally:
            del saved  # It holds the verifier: no frame that may raise keeps it.

    async def import_login(self, text: str, *, timeout: Duration | None = None) -> Account:
        """Takes over a sign-in that another program keeps, so that nobody need sign in again: `text` is MSAL's
        serialised cache, or a file of mutt_oauth2.py (decrypted) or sasl-xoauth2. It is tried once before it is
        kept; the other program should not go on with it."""
        job = self._native.import_login(text, duration(timeout))
        del text  # A secret: no frame that may raise keeps it.
        return Account.from_core(await self._wait(job))

    async def logout(self) -> None:
        """Forgets the tokens, here and in the store, and tells the service where it wants to know (RFC 7009)."""
        await self._wait(self._native.logout())

    async def close(self) -> None:
        """Refuses further calls with `Closed`."""
        self._native.close()
        self._drain()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
