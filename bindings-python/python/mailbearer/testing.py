"""A sign-in service and a mail server to test against, in this process: no account, no network."""

from __future__ import annotations

from . import _native
from ._record import Record
from ._values import duration
from .receipt import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal
    from email.message import EmailMessage
    from pathlib import Path

    from typing_extensions import Self

    from .options import Duration, Options
    from .access_token import TokenRequest

#: The mailbox that is meant where none is named.
DEFAULT_USERNAME = "noreply@contoso.com"


class Received(Record):
    """A message as the emulator took it."""

    __slots__ = ("mail_from", "rcpt_to", "raw", "username", "mechanism")
    #: The reverse-path.
    mail_from: str
    #: The recipients that were accepted.
    rcpt_to: tuple[str, ...]
    #: Exactly the octets that were meant.
    raw: bytes
    #: The mailbox that had authenticated.
    username: str
    #: The SASL mechanism it used.
    mechanism: str

    @property
    def parsed(self) -> EmailMessage:
        """The octets, read by the standard library."""
        return parse(self.raw)


class Emulator:
    """Plays Entra ID with Exchange Online, or Google with Gmail, on this machine's loopback interface.

    >>> with Emulator() as emulator, Mailer(**emulator.settings()) as mailer:
    ...     mailer.send(to="ada@example.com", subject="Hi", text="Hello")
    ...     assert emulator.wait_for()[0].rcpt_to == ("ada@example.com",)
    """

    def __init__(self, *, dialect: Literal["microsoft", "google"] = "microsoft") -> None:
        self._native = _native.Emulator({"dialect": dialect})
        url, ca_file, host, port, tls_port, authority = self._native.addresses()
        #: A page for people, and the control interface under ``/api``.
        self.url: str = url
        #: The certificate authority of all its servers, as PEM.
        self.ca_file: Path = _path(ca_file)
        self.smtp_host: str = host
        #: SMTP with STARTTLS.
        self.smtp_port: int = port
        #: SMTP over TLS from the first octet.
        self.smtps_port: int = tls_port
        #: The sign-in service over TLS.
        self.authority: str = authority

    @property
    def messages(self) -> tuple[Received, ...]:
        """What was accepted so far, oldest first."""
        return _received(self._native.messages())

    def settings(self, grant: str = "client_credentials", username: str = DEFAULT_USERNAME) -> Options:
        """A mailer's options for this grant. For ``callback`` it brings a function along."""
        options = self._native.settings(grant, username)
        if grant == "callback":

            def callback(request: TokenRequest) -> str:
                return self._native.mint(request.username or username)

            options["auth"]["callback"] = callback
        return options  # type: ignore[return-value]

    def environ(self, grant: str = "client_credentials") -> dict[str, str]:
        """The same as environment variables, for `Mailer.from_env` and the command line."""
        return dict(self._native.environ(grant, DEFAULT_USERNAME))

    def wait_for(self, count: int = 1, timeout: Duration = 5) -> tuple[Received, ...]:
        """Blocks until `count` messages have arrived since the start or the last `clear`.

        Raises `TimeoutError`, saying how many there were.
        """
        return _received(self._native.wait_for(count, _seconds(timeout, "timeout")))

    def clear(self) -> None:
        """Forgets messages and faults. Tokens stay good."""
        self._native.clear()

    def fail(
        self,
        at: str,
        *,
        reply: str | None = None,
        status: int | None = None,
        body: str | None = None,
        drop: bool = False,
        delay: Duration = 0,
        times: int = 1,
        match: str | None = None,
    ) -> None:
        """Simulates a fault.

        SMTP points: ``connect greeting ehlo starttls tls auth mail rcpt data body end rset quit idle``; a
        `reply` is sent in place of the right one. HTTP points: ``token authorize devicecode discovery
        keys``; `status` and `body`. `drop` closes the connection, `delay` waits first, `times`
        is how often (0 for ever), `match` picks commands or forms that contain it.
        """
        fault: dict[str, Any] = {"at": at, "drop": drop, "delay": _seconds(delay, "delay"), "times": times}
        for name, value in (("reply", reply), ("status", status), ("body", body), ("match", match)):
            if value is not None:
                fault[name] = value
        self._native.fail(fault)

    def sign_in(self, url: str, *, username: str, decision: Literal["approve", "deny"] = "approve") -> str:
        """Signs a person in at a `Login`'s URL, without a browser; the callback URL."""
        return self._native.sign_in(url, username, decision)

    def approve(self, user_code: str, *, username: str, decision: Literal["approve", "deny"] = "approve") -> None:
        """Answers for a device that shows this code."""
        self._native.approve(user_code, username, decision)

    def revoke(self, username: str) -> None:
        """Revokes this person's refresh tokens."""
        self._native.revoke(username)

    def expire_tokens(self) -> None:
        """From now on every access token issued so far is refused."""
        self._native.expire_tokens()

    def close(self) -> None:
        """Stops it. May be repeated."""
        self._native.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Emulator {self.url} smtp {self.smtp_host}:{self.smtp_port}>"


def _seconds(value: Duration, field: str) -> float:
    return _native.seconds(duration(value) or "0s", field)


def _path(text: Any) -> Path:
    from pathlib import Path

    return Path(text)


def _received(messages: list[tuple[str, list[str], bytes, str, str]]) -> tuple[Received, ...]:
    return tuple(
        Received(mail_from=mail_from, rcpt_to=tuple(rcpt_to), raw=raw, username=username, mechanism=mechanism)
        for mail_from, rcpt_to, raw, username, mechanism in messages
    )
