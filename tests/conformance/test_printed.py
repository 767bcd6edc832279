"""Runs last: nothing that any face printed in all cases, at the most verbose level, is a secret."""

from __future__ import annotations

import re

import pytest

from faces import FACES, PRINTED

# How the emulator's secrets begin, in whatever they are wrapped: its client secret, access tokens (JWTs, Google's,
# personal accounts'), refresh tokens, codes, device codes, and an XOAUTH2 or OAUTHBEARER response in base64.
SECRETS = {
    "client secret": r"emu8Q~",
    "JWT": r"eyJ[\w-]{30,}\.",
    "Google's token": r"ya29\.[\w-]{20,}",
    "a personal account's token": r"EwB4A8l6\w+",
    "refresh token": r"1\.A\w{20,}|1//0\w{20,}",
    "code": r"4/0A\w{20,}",
    "device code": r"AH-1\w{20,}",
    "AUTH response": r"dXNlcj[\w+/]{20,}|bixhPW[\w+/]{20,}",
    "code_verifier": r"code_verifier=",
    "Bearer": r"auth=Bearer [^\[\s]",
}


@pytest.mark.parametrize("face", FACES)
def test_nothing_that_was_printed_is_a_secret(face: str) -> None:
    path = PRINTED / f"{face}.txt"
    if not path.exists():
        pytest.skip("no case ran in this face")
    text = path.read_text(encoding="utf-8", errors="replace")
    found = {name: match.group(0)[:60] for name, pattern in SECRETS.items() if (match := re.search(pattern, text))}
    assert not found, found
    # It was verbose indeed.
    lines = re.findall(r"AUTH XOAUTH2 \[hidden\]", text)
    assert len(lines) > 20 or text.count("\n") < 500, f"{path} has {len(lines)} AUTH lines"
