"""A sign-in under way, and who signed in."""

from __future__ import annotations

from ._call import Client
from ._record import Record, epoch, instant
from ._values import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal
    import datetime as dt

    from typing_extensions import Self

    from . import _native
    from .options import Duration


class Account(Record):
    """Who signed in."""

    __slots__ = ("username", "tenant", "subject", "scopes", "refresh_expires_at")
    #: The mailbox.
    username: str
    #: Microsoft's tenant id.
    tenant: str | None
    #: The service's own stable id of the person.
    subject: str | None
    #: What was granted.
    scopes: tuple[str, ...]
    #: When the sign-in ends, where known.
    refresh_expires_at: dt.datetime | None

    @classmethod
    def from_core(cls, data: Mapping[str, Any]) -> Self:
        ends = data["refresh_expires_at"]
        made = {name: data[name] for name in cls.__slots__}
        return cls(**{**made, "scopes": tuple(data["scopes"]), "refresh_expires_at": ends and instant(ends)})


class _Login:
    """What the person must see, and how the sign-in goes on elsewhere."""

    def __init__(self, native: _native.Login, client: Client) -> None:
        self._native = native
        self._client = client

    @property
    def method(self) -> Literal["authorization_code", "device_code"]:
        """How the person signs in."""
        return self._native.method

    @property
    def url(self) -> str:
        """Where the person goes."""
        return self._native.url

    @property
    def user_code(self) -> str | None:
        """What the person types there, for device codes."""
        return self._native.user_code

    @property
    def message(self) -> str:
        """A sentence to show the person."""
        return self._native.message

    @property
    def state(self) -> str | None:
        """The ``state`` that comes back to the redirect URI."""
        return self._native.state

    @property
    def expires_at(self) -> dt.datetime:
        """When it is too late."""
        return epoch(self._native.expires_at)

    def save(self) -> str:
        """As text, for another process to go on with by `resume_login`. Good for 15 minutes and one
        `finish`; it holds a secret, so it belongs in a server-side session."""
        return self._native.save()

    def cancel(self) -> None:
        """Ends it; `wait` raises `Cancelled`."""
        self._native.cancel()

    def __repr__(self) -> str:
        # Not the URL: it holds the state.
        return f"{type(self).__name__}(method={self.method!r}, expires_at={self.expires_at.isoformat()!r})"


class Login(_Login):
    """A sign-in under way."""

    def wait(self, timeout: Duration | None = None) -> Account:
        """Waits for the person, where there is no redirect URI of your own. A timeout ends the waiting,
        not the sign-in."""
        return Account.from_core(self._client._run(self._native.wait(duration(timeout))))

    def finish(self, callback: str | Mapping[str, str]) -> Account:
        """Ends it with what came to your redirect URI: the URL, its query, or the form's fields."""
        job = self._native.finish(_callback(callback))
        del callback  # It holds the code: no frame that may raise keeps it.
        return Account.from_core(self._client._run(job))


class AsyncLogin(_Login):
    """A sign-in under way."""

    async def wait(self, timeout: Duration | None = None) -> Account:
        """Waits for the person, where there is no redirect URI of your own. A timeout ends the waiting,
        not the sign-in."""
        return Account.from_core(await self._client._wait(self._native.wait(duration(timeout))))

    async def finish(self, callback: str | Mapping[str, str]) -> Account:
        """Ends it with what came to your redirect URI: the URL, its query, or the form's fields."""
        job = self._native.finish(_callback(callback))
        del callback  # It holds the code: no frame that may raise keeps it.
        return Account.from_core(await self._client._wait(job))


def _callback(callback: str | Mapping[str, str]) -> str | dict[str, str]:
    if isinstance(callback, str):
        return callback
    if not hasattr(callback, "items"):
        raise TypeError(f"finish takes the URL, its query or the form's fields, not {type(callback).__name__}")
    return {str(k): str(v) for k, v in callback.items()}
