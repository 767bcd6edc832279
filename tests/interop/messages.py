"""Messages of the shapes that real programs send: finished MIME, and fields for us to build from.

`RAW` maps a name to the octets that a caller hands over and the octets that must arrive: the same, but for
line ends. `BUILT` maps a name to fields, and to what Python's own parser must read from the arrived message.
"""

from __future__ import annotations

import base64
import quopri
from typing import Any

FROM = b"From: Ada Lovelace <noreply@contoso.com>\r\nTo: ada@example.test\r\n"
DATE = b"Date: Mon, 23 Nov 2026 10:30:00 +0100\r\n"

SCRIPTS = {
    "latin": "Ærøskøbing, Łódź, Şırnak, Ŵrexham",
    "greek": "Καλημέρα κόσμε",
    "cyrillic": "Съешь ещё этих мягких французских булок",
    "hebrew": "שלום עולם",
    "arabic": "السلام عليكم",
    "devanagari": "नमस्ते दुनिया",
    "thai": "สวัสดีชาวโลก",
    "han": "您好,世界:電子郵件",
    "kana": "こんにちは世界 ﾊﾝｶｸ",
    "hangul": "안녕하세요 세계",
    "georgian": "გამარჯობა მსოფლიო",
    "amharic": "ሰላም ዓለም",
    "emoji": "👩🏽‍💻📬 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "mathematical": "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ 𝔐𝔞𝔦𝔩",
}


def mail(name: str, body: bytes, *headers: bytes) -> bytes:
    front = b"".join(header + b"\r\n" for header in headers)
    return FROM + DATE + b"Message-ID: <%s@interop.test>\r\nSubject: %s\r\n" % ((name.encode(),) * 2) + front + b"\r\n" + body


def text(name: str, body: bytes, charset: bytes = b"utf-8", encoding: bytes = b"8bit") -> bytes:
    kind = b'Content-Type: text/plain; charset="%s"' % charset
    return mail(name, body, b"MIME-Version: 1.0", kind, b"Content-Transfer-Encoding: " + encoding)


def nested(depth: int) -> bytes:
    """Multiparts within multiparts, as forwarded and scanned mail has them."""
    part = b"Content-Type: text/plain; charset=us-ascii\r\n\r\nthe innermost part\r\n"
    for level in range(depth):
        mark = b"level-%d" % level
        part = (
            b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n' % mark
            + b"--%s\r\n%s\r\n--%s\r\nContent-Type: text/plain\r\n\r\nat level %d\r\n--%s--\r\n" % (mark, part, mark, level, mark)
        )
    return part


def with_top(name: str, part: bytes) -> bytes:
    head, _, body = part.partition(b"\r\n\r\n")
    return mail(name, body, b"MIME-Version: 1.0", head)


def signed() -> bytes:
    inner = b"Content-Type: text/plain; charset=us-ascii\r\n\r\nsigned text \r\nwith a space at an end\r\n"
    signature = base64.encodebytes(bytes(range(256)) * 6).replace(b"\n", b"\r\n")
    body = (
        b"--sig\r\n" + inner + b"\r\n--sig\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + signature + b"--sig--\r\n"
    )
    kind = b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=sig'
    return mail("signed", body, b"MIME-Version: 1.0", kind)


def report() -> bytes:
    body = (
        b"--r\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n"
        b"--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.test\r\n\r\n"
        b"Final-Recipient: rfc822; nobody@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"--r\r\nContent-Type: message/rfc822\r\n\r\n" + mail("inner", b"the lost one\r\n") + b"--r--\r\n"
    )
    return mail("report", body, b"MIME-Version: 1.0", b"Content-Type: multipart/report; report-type=delivery-status; boundary=r")


EVERY_8_BIT = bytes(range(0x80, 0x100))
LONG_PHRASE = b" ".join(b"word%d" % n for n in range(11))

# name: (what is handed over, what arrives).
RAW: dict[str, tuple[bytes, bytes]] = {
    name: (octets, octets)
    for name, octets in {
        "plain": mail("plain", b"Hello\r\n"),
        "no-line-at-all": mail("no-line-at-all", b""),
        "empty-lines": mail("empty-lines", b"\r\n\r\n\r\n"),
        "lone-dots": mail("lone-dots", b".\r\n..\r\n...\r\n.\r\n.hidden\r\n. \r\n\r\n.\r\n"),
        "smuggler": mail("smuggler", b"x\r\n.\r\nMAIL FROM:<evil@example.test>\r\nRCPT TO:<a@example.test>\r\nDATA\r\n.\r\n"),
        "trailing-space": mail("trailing-space", b"a \r\nb\t\r\n  \r\nc   \r\n"),
        "long-headers": mail(
            "long-headers", b"x\r\n", *[b"X-Chain-%d: %s" % (n, b"\r\n ".join([LONG_PHRASE] * 12)) for n in range(40)]
        ),
        "references": mail(
            "references", b"x\r\n", b"References: " + b"\r\n ".join(b"<%032x@list.example.test>" % n for n in range(90))
        ),
        "header-at-998": mail("header-at-998", b"x\r\n", b"X-Long: " + b"y" * 990),
        "line-at-998": mail("line-at-998", b"z" * 998 + b"\r\nend\r\n"),
        "eight-bit": text("eight-bit", EVERY_8_BIT.replace(b"\x85", b"") + b"\r\n", b"iso-8859-1"),
        "utf-8": text("utf-8", "\r\n".join(SCRIPTS.values()).encode() + b"\r\n"),
        "controls": text("controls", b"tab\there, bell\x07, escape\x1b[0m, form\x0cfeed, delete\x7f\r\n", b"us-ascii"),
        "nested": with_top("nested", nested(12)),
        "signed": signed(),
        "report": report(),
        "quoted-printable": text(
            "quoted-printable",
            quopri.encodestring("\n".join(SCRIPTS.values()).encode(), quotetabs=True).replace(b"\n", b"\r\n") + b"\r\n",
            encoding=b"quoted-printable",
        ),
        "uuencoded": mail("uuencoded", b"begin 644 a.bin\r\n#0V%T\r\n`\r\nend\r\n"),
        "looks-like-mbox": mail("looks-like-mbox", b"From here on\r\n>From there\r\nFrom: not a header\r\n"),
        "many-lines": mail("many-lines", b"a short line\r\n" * 20_000),
    }.items()
} | {
    "bare-lf": (mail("bare-lf", b"one\ntwo\n\nthree\n"), mail("bare-lf", b"one\r\ntwo\r\n\r\nthree\r\n")),
    "bare-cr": (mail("bare-cr", b"one\rtwo\r\rthree\r\n"), mail("bare-cr", b"one\r\ntwo\r\n\r\nthree\r\n")),
    "mixed-ends": (mail("mixed-ends", b"a\r\nb\nc\rd\n\r\ne"), mail("mixed-ends", b"a\r\nb\r\nc\r\nd\r\n\r\ne\r\n")),
    "dot-behind-lf": (mail("dot-behind-lf", b"x\n.\ny\n.\r\nz\r\n"), mail("dot-behind-lf", b"x\r\n.\r\ny\r\n.\r\nz\r\n")),
    "no-last-line-end": (mail("no-last-line-end", b"the end"), mail("no-last-line-end", b"the end\r\n")),
    "unix-file": (
        mail("unix-file", b"line\n" * 50).replace(b"\r\n", b"\n"),
        mail("unix-file", b"line\r\n" * 50),
    ),
}

# What is refused before anything is sent.
REFUSED = {"nul": mail("nul", b"a\x00b\r\n")}

# name: (fields, what the parser reads).
BUILT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    f"script-{script}": (
        {
            "from": {"name": words, "address": "noreply@contoso.com"},
            "to": [{"name": words, "address": "ada@example.test"}],
            "subject": f"{words} · {words}",
            "text": f"{words}\n.\n..\n{words}\n",
            "html": f"<p>{words}</p>",
            "attachments": [{"content": words, "filename": f"{words[:12].replace('/', '_')}.txt"}],
        },
        {
            "subject": f"{words} · {words}",
            "text": f"{words}\n.\n..\n{words}\n",
            "from": words,
            "filename": f"{words[:12].replace('/', '_')}.txt",
        },
    )
    for script, words in SCRIPTS.items()
} | {
    "long-subject": (
        {"to": ["ada@example.test"], "subject": "a long subject " * 60 + "end", "text": "x\n"},
        {"subject": "a long subject " * 60 + "end", "text": "x\n"},
    ),
    "very-long-line": (
        {"to": ["ada@example.test"], "subject": "x", "text": "y" * 5000 + "\n"},
        {"subject": "x", "text": "y" * 5000 + "\n"},
    ),
    "every-control-that-may-be": (
        {"to": ["ada@example.test"], "subject": "x", "text": "tab\tbell\x07 escape\x1b\n"},
        {"subject": "x", "text": "tab\tbell\x07 escape\x1b\n"},
    ),
    "many-recipients": (
        {"to": [f"user{n}@example.test" for n in range(120)], "subject": "to many", "text": "x\n"},
        {"subject": "to many", "text": "x\n"},
    ),
    "inline-image": (
        {
            "to": ["ada@example.test"],
            "subject": "picture",
            "text": "see the picture\n",
            "html": '<img src="cid:logo">',
            "attachments": [
                {"blob": 0, "filename": "logo.png", "content_type": "image/png", "content_id": "logo"},
                {"blob": 0, "filename": "report.pdf", "content_type": "application/pdf"},
            ],
        },
        {"subject": "picture", "text": "see the picture\n", "filename": "logo.png"},
    ),
    "international-address": (
        {"to": ["δοκιμή@example.test"], "subject": "διεύθυνση", "text": "x\n"},
        {"subject": "διεύθυνση", "text": "x\n"},
    ),
}
BLOBS = [base64.b64encode(bytes(range(256)) * 40).decode()]

# How far commands run ahead, and how bodies go.
MODES = [
    {"pipelining": "group"},
    {"pipelining": "chain"},
    {"pipelining": "chain", "chunking": "on"},
    {"pipelining": "chain", "chunking": "pipelined"},
]
