"""The asyncio mailer."""

from __future__ import annotations

from ._mailer import MailerBase
from ._values import duration
from .bulk import AsyncSendStream
from .login import AsyncLogin
from .message import as_message, choose
from .receipt import Receipt
from .report import Report
from .tokens import AsyncTokenSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable
    from typing import Any, Literal, overload
    from email.message import EmailMessage
    from email.message import Message as LegacyMessage

    from typing_extensions import Self, Unpack

    from .message import Message
    from .options import Duration, MessageFields
    from .receipt import Envelope


class AsyncMailer(MailerBase):
    """Sends mail from asyncio. The names of `Mailer`, awaitable.

    Make one, keep it; it works from several event loops in turn. Cancelling a task cancels its send:
    the `CancelledError` passes, and the event ``send.cancelled`` says what became of the message.
    """

    @property
    def tokens(self) -> AsyncTokenSource:
        """The mailer's token source: it shares tokens and store."""
        return AsyncTokenSource._of_mailer(self._native.tokens(), self._host)

    if TYPE_CHECKING:

        @overload
        async def send(
            self,
            message: Message | EmailMessage | LegacyMessage | bytes,
            /,
            *,
            envelope: Envelope | None = None,
            timeout: Duration | None = None,
            partial: Literal["deliver", "refuse"] | None = None,
        ) -> Receipt: ...
        @overload
        async def send(
            self,
            *,
            timeout: Duration | None = None,
            partial: Literal["deliver", "refuse"] | None = None,
            **fields: Unpack[MessageFields],
        ) -> Receipt: ...

    async def send(  # type: ignore[misc]  # mypy does not see that Any takes every field
        self,
        message: Any = None,
        /,
        *,
        timeout: Duration | None = None,
        partial: Literal["deliver", "refuse"] | None = None,
        **fields: Any,
    ) -> Receipt:
        """Sends one message, and returns once the server answered for it: see `Mailer.send`."""
        chosen = choose(self._native, message, fields)
        return Receipt.from_core(await self._wait(self._native.send(chosen._native, duration(timeout), partial)))

    def send_many(
        self,
        messages: Iterable[Message | EmailMessage | MessageFields]
        | AsyncIterable[Message | EmailMessage | MessageFields],
        *,
        timeout: Duration | None = None,
        partial: Literal["deliver", "refuse"] | None = None,
    ) -> AsyncSendStream:
        """Sends whatever `messages` yields, and gives one result each: see `Mailer.send_many`."""
        return AsyncSendStream(self, self._native.bulk(duration(timeout), partial), messages)

    async def login(
        self,
        *,
        method: Literal["authorization_code", "device_code"] | None = None,
        redirect_uri: str | None = None,
        login_hint: str | None = None,
    ) -> AsyncLogin:
        """Begins a sign-in. Without `redirect_uri` await its `wait`, with one its `finish`."""
        return await self.tokens.login(method=method, redirect_uri=redirect_uri, login_hint=login_hint)

    def resume_login(self, saved: str) -> AsyncLogin:
        """Goes on with a sign-in that another process began and saved."""
        tokens = self.tokens
        try:
            return tokens.resume_login(saved)
        finally:
            del saved  # It holds the verifier: no frame that may raise keeps it.

    async def logout(self) -> None:
        """Forgets the tokens, here and in the store, and tells the service where it wants to know (RFC 7009)."""
        await self.tokens.logout()

    async def verify(
        self, *, send_to: str | None = None, raise_on_failure: bool = True, timeout: Duration | None = None
    ) -> Report:
        """Walks the chain from DNS to MAIL FROM: see `Mailer.verify`."""
        return Report.from_core(await self._wait(self._native.verify(send_to, not raise_on_failure, duration(timeout))))

    async def render(self, message: Message | EmailMessage | MessageFields) -> bytes:
        """The octets that would be sent."""
        octets: bytes = await self._wait(self._native.render(as_message(self._native, message)._native))
        return octets

    async def warm(self, *, timeout: Duration | None = None) -> None:
        """Fetches the token and opens a connection ahead of need."""
        await self._wait(self._native.warm(duration(timeout)))

    async def export_metrics(self, endpoint: str | None = None, *, timeout: Duration | None = None) -> None:
        """Tells this process's numbers to an OpenTelemetry collector: see `Mailer.export_metrics`."""
        await self._wait(self._native.export_metrics(endpoint, duration(timeout)))

    async def close(self, timeout: Duration | None = None) -> None:
        """Refuses new sends with `Closed`, waits at most `timeout` (default 30 seconds) for running ones, then cancels them. A refresh
        token that was posted is waited for besides, for at most 30 seconds: what comes back for it must be kept.
        May be repeated."""
        await self._wait(self._native.close(duration(timeout)))

    async def aclose(self) -> None:
        """The same as `close`, for `contextlib.aclosing`."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
