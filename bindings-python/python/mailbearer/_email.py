"""The standard library's own messages as MIME."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from email.message import EmailMessage
    from email.message import Message as LegacyMessage
    from typing import Any


def octets(message: EmailMessage | LegacyMessage) -> bytes:
    """A message as MIME, written as `smtplib.SMTP.send_message` does: the message's own policy counts, and
    headers are UTF-8 only if an address needs it."""
    import io
    from email.generator import BytesGenerator
    from email.policy import EmailPolicy

    rules = message.policy
    if isinstance(rules, EmailPolicy):
        headers = [value for name in _ADDRESSES for value in message.get_all(name, [])]
        mailboxes = [one for value in headers for one in getattr(value, "addresses", ())]
        if any(not one.addr_spec.isascii() for one in mailboxes):
            rules = rules.clone(utf8=True)
        rules = _unbroken(rules)
    out = io.BytesIO()
    BytesGenerator(out, mangle_from_=False, policy=rules).flatten(message, linesep="\r\n")
    return out.getvalue()


def _unbroken(rules: Any) -> Any:
    """The same policy, but that identifiers and URLs in structured headers are never cut or encoded.

    The standard library takes these headers for text, and makes encoded words of whatever is longer than a
    line. No program reads them there (RFC 2047 §5)."""
    kind = type(rules)

    def fold_binary(self: Any, name: str, value: Any) -> bytes:
        text = str(value)
        lowered = name.lower()
        if not (lowered in _STRUCTURED or lowered.startswith("list-")) or not text.isascii():
            folded: bytes = kind.fold_binary(self, name, value)
            return folded
        lines, line = [], f"{name}:"
        for word in text.split():
            if len(line) + 1 + len(word) > (self.max_line_length or _LONGEST) and line[-1] != ":":
                lines.append(line)
                line = ""
            line = f"{line} {word}"
        whole: str = self.linesep.join([*lines, line, ""])
        return whole.encode("ascii")

    kept: Any = object.__new__(type(kind.__name__, (kind,), {"fold_binary": fold_binary}))
    kept.__dict__.update(rules.__dict__)
    return kept


_ADDRESSES = (
    "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Bcc",
)  # fmt: skip
#: Headers that hold tokens, identifiers or URLs; those that begin with ``List-`` too.
_STRUCTURED = {
    "archived-at",
    "auto-submitted",
    "content-id",
    "content-location",
    "feedback-id",
    "in-reply-to",
    "message-id",
    "original-message-id",
    "references",
    "resent-message-id",
    "return-path",
}
#: RFC 5322 §2.1.1, without the line end.
_LONGEST = 998
