"""Signatures judged by dkimpy, after the message went through Postfix."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from conftest import Options
from faces import Face
from servers import Postfix

MESSAGES: dict[str, dict[str, Any]] = {
    "plain": {"to": ["ada@example.test"], "subject": "Hello", "text": "Hi \n\n  two  blanks\t\n\n\n"},
    "rich": {
        "to": [{"name": "Zoë Ångström", "address": "ada@example.test"}],
        "cc": ["bob@example.test"],
        "subject": "Grüße aus Köln und ein langer Betreff, der auf mehreren Zeilen stehen muss",
        "text": "Grüße\n",
        "html": "<b>Grüße</b>",
        "list_unsubscribe": ["https://example.test/u"],
        "attachments": ["{folder}/big.bin"],
    },
}


@pytest.fixture(scope="module", params=["rsa", "rsa pkcs1", "ed25519"])
def key(request: pytest.FixtureRequest, folder: Path) -> tuple[Path, str]:
    """The private key's file, and what stands in DNS."""
    made: Any
    if request.param == "ed25519":
        made = ed25519.Ed25519PrivateKey.generate()
        raw = made.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        record = f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    else:
        made = rsa.generate_private_key(65537, 2048)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        raw = made.public_key().public_bytes(serialization.Encoding.DER, form)
        record = f"v=DKIM1; k=rsa; p={base64.b64encode(raw).decode()}"
    old = request.param == "rsa pkcs1"
    private = serialization.PrivateFormat.TraditionalOpenSSL if old else serialization.PrivateFormat.PKCS8
    file = folder / "dkim.pem"
    file.write_bytes(made.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return file, record


@pytest.mark.parametrize("name", MESSAGES)
def test_a_signature_holds(
    face: Face, postfix: Postfix, options: Options, key: tuple[Path, str], name: str, tmp_path: Path
) -> None:
    file, record = key
    (tmp_path / "big.bin").write_bytes(bytes(range(256)) * 8000)
    message = {**MESSAGES[name]}
    if "attachments" in message:
        message["attachments"] = [str(tmp_path / "big.bin")]
    signing = {"domain": "contoso.com", "selector": "s1", "private_key": {"file": str(file)}}
    answer = face.call({"op": "send", "options": options(postfix, dkim=signing), "message": message})
    assert "ok" in answer, answer
    arrived = postfix.mailbox.wait_for(answer["ok"]["message_id"])
    asked: list[bytes] = []

    def dns(domain: bytes, timeout: int = 5) -> bytes:
        asked.append(domain)
        return record.encode()

    assert dkim.verify(arrived, dnsfunc=dns), arrived[:1500]
    assert asked == [b"s1._domainkey.contoso.com."]
    changed = arrived.replace(b"Subject: ", b"Subject: Not ", 1)
    assert not dkim.verify(changed, dnsfunc=dns)
    # From is named once more than it is there: nobody can put another in front.
    assert not dkim.verify(b"From: eve@example.test\r\n" + arrived, dnsfunc=dns)
