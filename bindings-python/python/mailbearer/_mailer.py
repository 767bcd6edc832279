"""What `Mailer` and `AsyncMailer` share: one native object, opened from options."""

from __future__ import annotations

import os

from . import _native as native_module
from . import errors
from ._call import Client
from ._options import Given
from ._values import mailbox
from .receipt import Envelope, Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any
    from pathlib import Path

    from typing_extensions import Self, Unpack

    from ._host import Host
    from .options import Addr, Options


class MailerBase(Client):
    """Opening, and what never waits."""

    _native: native_module.Mailer

    def __init__(self, **options: Unpack[Options]) -> None:
        given = Given(options)
        del options
        self._adopt(*given.open(native_module.Mailer))

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> Self:
        """From a dictionary of options, such as a parsed file. ``from`` may stand for ``from_``."""
        given = Given(options)
        del options
        return cls._made(*given.open(native_module.Mailer))

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

    @property
    def outbox(self) -> tuple[Kept, ...]:
        """What ``provider="memory"`` kept of the last 1,000 messages, oldest first."""
        return tuple(
            Kept(message_id=message_id, tag=tag, envelope=Envelope(mail_from, rcpt_to), raw=raw)
            for message_id, tag, mail_from, rcpt_to, raw in self._native.outbox()
        )

    def metrics(self) -> dict[str, Any]:
        """Counters since the mailer was made in this process, and how its mailbox and tokens stand
        (docs/monitoring.md). For Prometheus: `mailbearer.prometheus`."""
        return self._native.metrics()

    def for_mailbox(self, username: str, *, from_: Addr | None = None) -> Self:
        """A mailer for another mailbox that shares tokens, connections and store with this one."""
        sender = None if from_ is None else mailbox(from_, "from", errors.config)
        return self._made(self._native.for_mailbox(username, sender), self._host)

    @classmethod
    def _load(cls, given: Given, places: native_module.Places) -> Self:
        return cls._made(*given.open(lambda plain, host: native_module.Mailer.load(places, plain, host)))

    @classmethod
    def _made(cls, native: native_module.Mailer, host: Host) -> Self:
        made = cls.__new__(cls)
        made._adopt(native, host)
        return made

    def _adopt(self, native: native_module.Mailer, host: Host) -> None:
        self._native, self._host = native, host
        self._drain()

    def __repr__(self) -> str:
        if not hasattr(self, "_native"):
            # Its options were refused: there are error reports that print it all the same.
            return f"<{type(self).__name__}>"
        return f"{type(self).__name__}(provider={self._native.provider!r}, username={self._native.username!r})"

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled: it holds secrets and connections; "
            "pickle the Message, and make the mailer from its options where it is needed"
        )
