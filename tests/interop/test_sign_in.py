"""People who sign in elsewhere than at Microsoft, in every face: Google's dialect, and a service that describes itself."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from emulator import Emulator
from faces import Face

ADA = "ada@contoso.com"
HERE = "https://app.contoso.com/callback"


def sign_in(face: Face, given: dict[str, Any], service: Emulator) -> dict[str, Any]:
    """The answer to the whole of it."""
    if not face.can("login"):
        pytest.skip(f"{face.name} signs in through a browser of its own")
    begun = face.call({"op": "login", "options": given, "redirect_uri": HERE})
    assert "ok" in begun, begun
    back = service.post("sign_in", url=begun["ok"]["url"], username=ADA)
    return face.call({"op": "finish", "callback": back["callback"]})


def test_google_and_its_revocation(face: Face, google: Emulator) -> None:
    given = {**google.settings("authorization_code", ADA), "danger_token_to_host": True}
    answer = sign_in(face, given, google)
    assert answer.get("ok", {}).get("username") == ADA, answer
    before = google.seen()
    renewed = face.call({"op": "token", "force": True})
    assert "ok" in renewed, renewed
    assert face.call({"op": "logout"}) == {"ok": {}}
    after = google.seen()
    assert after["revocations"] == before["revocations"] + 1
    error = face.call({"op": "token"})["error"]
    assert error["code"] == "interaction_required", error


def test_a_service_that_describes_itself(face: Face, emulator: Emulator) -> None:
    document = f"{emulator.url}/contoso.com/v2.0/.well-known/openid-configuration"
    with urllib.request.urlopen(document, timeout=10) as answer:
        issuer = json.load(answer)["issuer"]
    known = emulator.settings("authorization_code", ADA)
    auth = {
        "grant": "authorization_code", "client_id": known["auth"]["client_id"], "authority": issuer,
        "scopes": ["https://outlook.office.com/SMTP.Send", "offline_access"],
    }  # fmt: skip
    given = {**known, "provider": "custom", "auth": auth}
    answer = sign_in(face, given, emulator)
    assert answer.get("ok", {}).get("username") == ADA, answer
    sent = face.call({"op": "send", "message": {"to": ["bob@example.com"], "subject": "x", "text": "x"}})
    assert sent.get("ok", {}).get("accepted") == ["bob@example.com"], sent
    # The domain is not how the service writes its issuer.
    auth["authority"] = f"{emulator.url}/contoso.com/v2.0"
    error = face.call({"op": "login", "options": given, "redirect_uri": HERE})["error"]
    assert error["code"] == "token_endpoint_unavailable" and not error["retryable"], error
    assert issuer in error["message"] and "authority" in error["hint"], error
