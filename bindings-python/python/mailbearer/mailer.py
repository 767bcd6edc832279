"""The blocking mailer."""

from __future__ import annotations

from ._mailer import MailerBase
from ._native import envelope_of
from ._values import duration
from .bulk import SendStream
from .login import Login
from .message import Message, as_message, choose
from .receipt import Envelope, Receipt
from .report import Report
from .tokens import TokenSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Literal, overload
    from email.message import EmailMessage
    from email.message import Message as LegacyMessage

    from typing_extensions import Self, Unpack

    from .options import Duration, MessageFields


class Mailer(MailerBase):
    """Sends mail. Make one, keep it, and use it from as many threads as you like, in forked children too.

    A call blocks its thread alone; Ctrl-C ends it. Options are checked when it is made, without a
    network: `ConfigError` names the mistake.
    """

    @property
    def tokens(self) -> TokenSource:
        """The mailer's token source: it shares tokens and store."""
        return TokenSource._of_mailer(self._native.tokens(), self._host)

    if TYPE_CHECKING:

        @overload
        def send(
            self,
            message: Message | EmailMessage | LegacyMessage | bytes,
            /,
            *,
            envelope: Envelope | None = None,
            timeout: Duration | None = None,
            partial: Literal["deliver", "refuse"] | None = None,
        ) -> Receipt: ...
        @overload
        def send(
            self,
            *,
            timeout: Duration | None = None,
            partial: Literal["deliver", "refuse"] | None = None,
            **fields: Unpack[MessageFields],
        ) -> Receipt: ...

    def send(  # type: ignore[misc]  # mypy does not see that Any takes every field
        self,
        message: Any = None,
        /,
        *,
        timeout: Duration | None = None,
        partial: Literal["deliver", "refuse"] | None = None,
        **fields: Any,
    ) -> Receipt:
        """Sends one message, and returns once the server answered for it.

        It raises only if nobody was accepted; who was refused stands in the receipt's ``rejected``.
        `timeout` (default 5 minutes, and a second for each 16 KiB) covers everything up to the end of
        the message. An `Error` says whether the same call may be repeated (``retryable``).
        """
        chosen = choose(self._native, message, fields)
        return Receipt.from_core(self._run(self._native.send(chosen._native, duration(timeout), partial)))

    def send_many(
        self,
        messages: Iterable[Message | EmailMessage | MessageFields],
        *,
        timeout: Duration | None = None,
        partial: Literal["deliver", "refuse"] | None = None,
    ) -> SendStream:
        """Sends whatever `messages` yields, as many side by side as there may be connections, and gives
        one result each. `timeout` and `partial` are for each message. Memory stays flat."""
        return SendStream(self, self._native.bulk(duration(timeout), partial), messages)

    def login(
        self,
        *,
        method: Literal["authorization_code", "device_code"] | None = None,
        redirect_uri: str | None = None,
        login_hint: str | None = None,
        open_browser: bool = False,
    ) -> Login:
        """Begins a sign-in. Without `redirect_uri` call its `wait`, with one its `finish`."""
        return self.tokens.login(
            method=method, redirect_uri=redirect_uri, login_hint=login_hint, open_browser=open_browser
        )

    def resume_login(self, saved: str) -> Login:
        """Goes on with a sign-in that another process began and saved."""
        tokens = self.tokens
        try:
            return tokens.resume_login(saved)
        finally:
            del saved  # It holds the verifier: no frame that may raise keeps it.

    def logout(self) -> None:
        """Forgets the tokens, here and in the store, and tells the service where it wants to know (RFC 7009)."""
        self.tokens.logout()

    def verify(
        self, *, send_to: str | None = None, raise_on_failure: bool = True, timeout: Duration | None = None
    ) -> Report:
        """Walks the chain from DNS to MAIL FROM without sending, and says for each link what was seen
        and what to do. `send_to` sends one real message there: the only proof of SendAs and quota.

        Raises the first failing link's error, the report on it, unless `raise_on_failure` is false.
        """
        return Report.from_core(self._run(self._native.verify(send_to, not raise_on_failure, duration(timeout))))

    def render(self, message: Message | EmailMessage | MessageFields) -> bytes:
        """The octets that would be sent."""
        octets: bytes = self._run(self._native.render(as_message(self._native, message)._native))
        return octets

    def sendmail(
        self, from_addr: str, to_addrs: str | Sequence[str], msg: bytes | str
    ) -> dict[str, tuple[int, bytes]]:
        """In `smtplib`'s shape: finished MIME and its envelope, whose addresses may have names, and ``<>`` is the null
        reverse-path. Returns the refused recipients."""
        octets = msg.encode() if isinstance(msg, str) else msg
        return _refused(self.send(octets, envelope=_envelope(from_addr, to_addrs)))

    def send_message(
        self,
        msg: EmailMessage | LegacyMessage,
        from_addr: str | None = None,
        to_addrs: str | Sequence[str] | None = None,
    ) -> dict[str, tuple[int, bytes]]:
        """In `smtplib`'s shape: the headers say who sends and who receives, unless you do. Returns the
        refused recipients."""
        if from_addr is not None and to_addrs is not None:
            return _refused(self.send(msg, envelope=_envelope(from_addr, to_addrs)))
        message = Message.raw(msg)
        named = message._native.envelope()
        if named is not None and (from_addr is not None or to_addrs is not None):
            sender, recipients = named
            sender = sender if from_addr is None else from_addr
            envelope = _envelope(sender, recipients if to_addrs is None else to_addrs)
            return _refused(self.send(message, envelope=envelope))
        return _refused(self.send(message))

    def warm(self, *, timeout: Duration | None = None) -> None:
        """Fetches the token and opens a connection ahead of need."""
        self._run(self._native.warm(duration(timeout)))

    def export_metrics(self, endpoint: str | None = None, *, timeout: Duration | None = None) -> None:
        """Tells this process's numbers, those of other mailers too, to an OpenTelemetry collector (OTLP/HTTP,
        JSON), once. `endpoint` is its base URL; default ``$OTEL_EXPORTER_OTLP_ENDPOINT``, else
        ``http://localhost:4318``. Raises `ConfigError` or `NetworkError`."""
        self._run(self._native.export_metrics(endpoint, duration(timeout)))

    def close(self, timeout: Duration | None = None) -> None:
        """Refuses new sends with `Closed`, waits at most `timeout` (default 30 seconds) for running ones, then cancels them. A refresh
        token that was posted is waited for besides, for at most 30 seconds: what comes back for it must be kept.
        May be repeated."""
        self._run(self._native.close(duration(timeout)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _envelope(from_addr: str, to_addrs: str | Sequence[str]) -> Envelope:
    recipients = [to_addrs] if isinstance(to_addrs, str) else list(to_addrs)
    return Envelope(*envelope_of(from_addr, recipients))


def _refused(receipt: Receipt) -> dict[str, tuple[int, bytes]]:
    refused = {}
    for one in receipt.rejected:
        text = f"{one.reply.enhanced} {one.reply.text}" if one.reply.enhanced else one.reply.text
        refused[one.address] = (one.reply.code, text.encode())
    return refused
