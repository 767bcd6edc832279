"""The standard library's own messages: their octets, and whom their headers name."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from email.message import EmailMessage
    from email.message import Message as LegacyMessage
    from typing import Any


def is_email(value: Any) -> bool:
    """Whether it is one. A program that never imported them has none."""
    module = sys.modules.get("email.message")
    return module is not None and isinstance(value, module.Message)


def octets(message: Any) -> bytes:
    """A standard library message as MIME; with UTF-8 headers only if an address needs them."""
    if not is_email(message):
        raise TypeError(f"finished MIME is bytes or an EmailMessage, not {type(message).__name__}")
    import io
    from email import policy
    from email.generator import BytesGenerator
    from email.message import EmailMessage

    names = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-To", "Resent-Cc", "Resent-Bcc")
    out = io.BytesIO()
    if isinstance(message, EmailMessage):
        headers = [value for name in names for value in message.get_all(name, [])]
        mailboxes = [one for value in headers for one in getattr(value, "addresses", ())]
        wide = any(not one.addr_spec.isascii() for one in mailboxes)
        rules = policy.SMTPUTF8 if wide else policy.SMTP
        BytesGenerator(out, mangle_from_=False, policy=rules).flatten(message)
    else:
        BytesGenerator(out, mangle_from_=False).flatten(message, linesep="\r\n")
    return out.getvalue()


def addresses_of(message: EmailMessage | LegacyMessage) -> list[str]:
    """The recipients that the headers name, those of the latest resending first, as smtplib reads them."""
    from email.utils import getaddresses

    prefix = "Resent-" if message.get("Resent-Date") is not None else ""
    values = [str(value) for name in ("To", "Cc", "Bcc") for value in message.get_all(prefix + name, [])]
    return [address for _, address in getaddresses(values) if address]


def sender_of(message: EmailMessage | LegacyMessage) -> str:
    """The reverse-path that the headers name, as smtplib reads them."""
    from email.utils import getaddresses

    prefix = "Resent-" if message.get("Resent-Date") is not None else ""
    value = message.get(prefix + "Sender") or message.get(prefix + "From") or ""
    return next((address for _, address in getaddresses([str(value)]) if address), "")
