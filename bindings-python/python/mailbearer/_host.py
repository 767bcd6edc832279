"""The program's own functions: where they run, and how their answers go back to core.

Core asks on a thread of its own and waits for none of ours: a function runs on a Python thread made for
it, and an awaitable on the mailer's event loop where one is running."""

from __future__ import annotations

import sys
import threading

from ._record import instant
from .access_token import TokenRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from ._native import Reply


class Host:
    """The functions given with one mailer's options."""

    def __init__(self, callback: Any, store: Any, on_event: Any) -> None:
        self.callback = callback
        self.store = store
        self.on_event = on_event
        #: The loop that made the last asynchronous call.
        self.loop: asyncio.AbstractEventLoop | None = None

    # The native half calls these three. They only begin the work.

    def ask_token(self, username: str | None, scopes: list[str], force: bool, reply: Reply) -> None:
        request = TokenRequest(username=username, scopes=tuple(scopes), force=force)
        self._begin(lambda: self.callback(request), lambda token: reply.token(*_token(token)), reply)

    def ask_load(self, key: str, reply: Reply) -> None:
        self._begin(lambda: self.store.load(key), reply.entry, reply)

    def ask_save(self, key: str, entry: bytes | None, version: int | None, reply: Reply) -> None:
        self._begin(lambda: self.store.save(key, entry, version), lambda done: reply.saved(bool(done)), reply)

    def _begin(self, call: Callable[[], Any], give: Callable[[Any], None], reply: Reply) -> None:
        def work() -> None:
            try:
                value = call()
                give(self._wait(value) if hasattr(value, "__await__") else value)
            except BaseException as error:
                reply.fail(f"{type(error).__name__}: {error}")

        if "gevent" in sys.modules or "eventlet" in sys.modules:
            from . import _green

            _green.start_thread(work)
        else:
            threading.Thread(target=work, name="mailbearer-callback", daemon=True).start()

    def _wait(self, awaitable: Any) -> Any:
        import asyncio

        async def whole() -> Any:
            return await awaitable

        loop = self.loop
        if loop is not None and loop.is_running():
            return asyncio.run_coroutine_threadsafe(whole(), loop).result()
        return asyncio.run(whole())


def _token(value: Any) -> tuple[str, float | None]:
    """A callback's answer: the secret, and when it expires in seconds since the epoch."""
    if isinstance(value, str):
        return value, None
    if hasattr(value, "keys"):
        return value["access_token"], _epoch(value.get("expires_at"))
    if hasattr(value, "secret") and hasattr(value, "expires_at"):
        return value.secret, _epoch(value.expires_at)
    raise TypeError(f"the callback returned {type(value).__name__}, not text, an AccessToken or a mapping")


def _epoch(value: Any) -> float | None:
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        return instant(value).timestamp()
    if value.tzinfo is None:
        raise ValueError("expires_at has no time zone; use datetime.now(timezone.utc)")
    return float(value.timestamp())
