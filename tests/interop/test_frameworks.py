"""Other people's mail functions over a Mailer: Django's, both ways of its settings."""

from __future__ import annotations

import json
import os
import subprocess
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from faces import EMULATOR

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "interop"


def django(name: str, options: dict[str, Any]) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(BUILD / name), "DJANGO_OPTIONS": json.dumps(options)}
    command = [os.environ["CONFORMANCE_PYTHON"], "-W", "error::DeprecationWarning:mailbearer", HERE / "workers" / "django_mail.py"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize(("name", "version"), [("django52", [5, 2]), ("django61", [6, 1])])
def test_django_sends_with_its_own_functions(name: str, version: list[int]) -> None:
    emulator = Emulator(EMULATOR)
    try:
        emulator.post("fail", at="rcpt", reply="550 5.1.1 nobody", match="refused@", times=0)
        found = django(name, emulator.settings("client_credentials", "noreply@contoso.com"))
        assert found["version"] == version
        answers = found["answers"]
        assert answers == answers | {
            "whole": "1", "one": "1", "mass": "5", "one bad": "ValueError", "nobody": "0", "refused": "recipients_rejected", "opened": "True",
        }, answers
        assert answers.get("silent", "0") == "0"
        seen = emulator.seen()
        assert len(seen["messages"]) == 9 and len(seen["token_requests"]) == 1, "one mailer for all backends"
        first = message_from_bytes(emulator.raw(1), policy=policy.default)
        assert first["Subject"] == "Grüße" and first["Bcc"] is None and str(first["From"]) == "Contoso <noreply@contoso.com>"
        assert [part.get_content_type() for part in first.walk()][-3:] == ["text/plain", "text/html", "text/csv"]
        assert sorted(seen["messages"][0]["rcpt_to"]) == ["ada@example.com", "bob@xn--exmple-cua.de", "eve@example.com"]
    finally:
        emulator.close()


@pytest.mark.parametrize(("name", "kind"), [("django52", "ImproperlyConfigured"), ("django61", "InvalidMailer")])
def test_django_names_a_wrong_option(name: str, kind: str) -> None:
    answers = django(name, {"provider": "microsoft365", "username": "a@contoso.com", "auth": {"grant": "client_credentials", "tennant": "x"}})["answers"]
    assert answers["one"].startswith(f"{kind}: ") and "did you mean `auth.tenant`" in answers["one"], answers
