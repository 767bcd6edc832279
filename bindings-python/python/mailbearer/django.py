"""An e-mail backend for Django: its own functions and messages, sent by a `mailbearer.Mailer`.

Django 6.1 and later::

    MAILERS = {"default": {"BACKEND": "mailbearer.django.EmailBackend", "OPTIONS": {
        "provider": "microsoft365", "username": "noreply@contoso.com",
        "auth": {"grant": "client_credentials", "tenant": "contoso.com",
                 "client_id": "…", "client_secret": {"env": "CONTOSO_SECRET"}}}}}

Django 5.2, and settings without ``MAILERS``: ``EMAIL_BACKEND = "mailbearer.django.EmailBackend"`` and the same options in
``MAILBEARER``. Without options the configuration file and the environment count, as for `Mailer.from_file`; ``config`` and
``profile`` among the options name them.
"""

from __future__ import annotations

import hashlib
import threading
from inspect import signature
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend

from ._native import envelope_of
from .errors import ConfigError, Error
from .mailer import Mailer
from .message import Message
from .receipt import Envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from django.core.mail import EmailMessage

_mailers: dict[str, Mailer] = {}
_lock = threading.Lock()


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]
    """Sends Django's messages. Backends with the same options share one mailer, its token and its connections; several
    messages of one call go side by side. Safe to use from many threads.

    Failures are `mailbearer.Error`, unless ``fail_silently``. A message that some recipients were refused of counts as
    sent; the event ``recipient.refused`` (logger ``mailbearer``) says of whom.
    """

    def __init__(self, fail_silently: bool = False, *, alias: str | None = None, **options: Any) -> None:
        known = {"alias": alias} if "alias" in signature(BaseEmailBackend.__init__).parameters else {}
        super().__init__(**known)
        self.fail_silently = fail_silently
        # Django itself passes its own settings' values to backends that are no mailers: EMAIL_HOST_USER and the like.
        own = options if alias is not None else {k: v for k, v in options.items() if k not in _DJANGO_S_OWN}
        self._options = own or dict(getattr(settings, "MAILBEARER", {}))
        try:
            self._mailer = _mailer(self._options)
        except ConfigError as error:
            raise _invalid(str(error), alias) from error

    def open(self) -> bool:
        """Fetches the token and opens a connection ahead of need."""
        try:
            self._mailer.warm()
        except Error:
            if not self.fail_silently:
                raise
            return False
        return True

    def close(self) -> None:
        """Nothing to do: idle connections close by themselves, and at the program's end."""

    def send_messages(self, email_messages: Iterable[EmailMessage]) -> int:
        """Tries every message; returns how many were sent, or raises the first failure."""
        sent, failure, mistake = 0, cast("Exception | None", None), cast("Exception | None", None)

        def converted() -> Iterator[Message]:
            nonlocal mistake
            for message in email_messages or ():
                if not message.recipients():
                    continue
                try:
                    yield self._converted(message)
                except Exception as error:
                    mistake = mistake or error

        try:
            for result in self._mailer.send_many(converted()):
                sent += result.outcome == "sent"
                failure = failure or result.error
        except Error as error:
            failure = failure or error
        # A message that cannot be built is the program's mistake, and never silent.
        if mistake is not None:
            raise mistake
        if failure is not None and not self.fail_silently:
            raise failure
        return sent

    def _converted(self, message: EmailMessage) -> Message:
        sender, recipients = envelope_of(str(message.from_email or ""), [str(one) for one in message.recipients()])
        return Message.raw(message.message().as_bytes(), envelope=Envelope(sender, recipients))


def _mailer(options: Mapping[str, Any]) -> Mailer:
    """The mailer of these options: one for all backends, which Django makes anew for each call."""
    key = hashlib.sha256(repr(sorted(options.items(), key=lambda item: item[0])).encode()).hexdigest()
    with _lock:
        if key not in _mailers:
            rest = dict(options)
            file, profile = rest.pop("config", None), rest.pop("profile", None)
            plain = "provider" in rest and file is None and profile is None
            _mailers[key] = Mailer(**rest) if plain else Mailer.from_file(file, profile=profile, **rest)
        return _mailers[key]


def _invalid(text: str, alias: str | None) -> ImproperlyConfigured:
    try:
        from django.core.mail import InvalidMailer
    except ImportError:
        return ImproperlyConfigured(f"MAILBEARER: {text}")
    return InvalidMailer(text, alias=alias)


_DJANGO_S_OWN = {"host", "port", "username", "password", "use_tls", "use_ssl", "timeout", "ssl_keyfile", "ssl_certfile"}
