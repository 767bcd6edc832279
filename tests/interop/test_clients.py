"""Other people's clients, unmodified, get tokens from the emulator and send mail to it: it is faithful, and not
merely of one mind with us."""

from __future__ import annotations

import json
import os
import smtplib
import ssl
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import google.auth.transport.requests as google_transport
import google.oauth2.credentials as google_credentials
import msal
import pytest
import requests

from emulator import Emulator
from servers import BUILD

PEERS = Path(__file__).resolve().parent / "peers"
ADA = "ada@contoso.com"
SMTP_SEND = ["https://outlook.office.com/SMTP.Send"]
APP = ["https://outlook.office365.com/.default"]


@pytest.fixture(autouse=True)
def no_bundle_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a variable beats the authority that a client is given."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def send(emulator: Emulator, username: str, token: str, mechanism: str = "XOAUTH2") -> None:
    """Mail by the standard library's own client."""
    before = len(emulator.seen()["messages"])
    context = ssl.create_default_context(cafile=emulator.about["ca_file"])
    with smtplib.SMTP("localhost", emulator.about["smtp_port"], timeout=20) as smtp:
        smtp.starttls(context=context)
        smtp.ehlo()
        smtp.auth(mechanism, lambda challenge=None: f"user={username}\1auth=Bearer {token}\1\1")
        smtp.sendmail(username, ["ada@example.com"], f"From: {username}\r\nSubject: by a peer\r\n\r\nHi\r\n")
    messages = emulator.seen()["messages"]
    assert len(messages) == before + 1 and messages[-1]["username"] == username


def node(program: str, emulator: Emulator, **options: Any) -> Any:
    environment = {
        **os.environ,
        "NODE_PATH": str(BUILD / "node_modules"),
        "NODE_EXTRA_CA_CERTS": emulator.about["ca_file"],
    }
    command = ["node", PEERS / program, json.dumps(options)]
    ran = subprocess.run(command, cwd=BUILD, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


class TestMsalPython:
    def client(self, emulator: Emulator, kind: type, *arguments: Any, **more: Any) -> Any:
        authority = f"{emulator.about['authority']}/contoso.com"
        ca = str(emulator.about["ca_file"])
        return kind(*arguments, authority=authority, verify=ca, instance_discovery=False, **more)

    def public(self, emulator: Emulator) -> Any:
        client_id = emulator.settings("device_code", ADA)["auth"]["client_id"]
        return self.client(emulator, msal.PublicClientApplication, client_id)

    def test_an_application(self, emulator: Emulator) -> None:
        auth = emulator.settings("client_credentials", ADA)["auth"]
        secret = auth["client_secret"]
        app = self.client(emulator, msal.ConfidentialClientApplication, auth["client_id"], client_credential=secret)
        found = app.acquire_token_for_client(APP)
        assert "access_token" in found, found
        send(emulator, "noreply@contoso.com", found["access_token"])
        assert app.acquire_token_for_client(APP)["token_source"] == "cache"
        wrong = self.client(emulator, msal.ConfidentialClientApplication, auth["client_id"], client_credential="no")
        assert wrong.acquire_token_for_client(APP)["error"] == "invalid_client"

    def test_a_device(self, emulator: Emulator) -> None:
        app = self.public(emulator)
        flow = app.initiate_device_flow(SMTP_SEND)
        emulator.post("approve", user_code=flow["user_code"], username=ADA)
        found = app.acquire_token_by_device_flow(flow)
        assert found["id_token_claims"]["preferred_username"] == ADA
        send(emulator, ADA, found["access_token"])

    def test_a_browser_and_a_refresh(self, emulator: Emulator) -> None:
        app = self.public(emulator)
        flow = app.initiate_auth_code_flow(SMTP_SEND, redirect_uri="http://localhost:51234", response_mode="form_post")
        back = emulator.post("sign_in", url=flow["auth_uri"], username=ADA)["callback"]
        found = app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(urlsplit(back).query)))
        assert found["id_token_claims"]["preferred_username"] == ADA
        (account,) = app.get_accounts(ADA)
        renewed = app.acquire_token_silent(SMTP_SEND, account=account, force_refresh=True)
        assert renewed["access_token"] != found["access_token"]
        send(emulator, ADA, renewed["access_token"])
        emulator.post("revoke", username=ADA)
        refused = app.acquire_token_silent_with_error(SMTP_SEND, account=account, force_refresh=True)
        assert refused["error"] == "invalid_grant" and "AADSTS50173" in refused["error_description"]


def test_msal_for_node(emulator: Emulator) -> None:
    app = emulator.settings("client_credentials", ADA)["auth"]
    public = emulator.settings("device_code", ADA)["auth"]
    found = node(
        "msal_node.cjs",
        emulator,
        authority=emulator.about["authority"],
        url=emulator.url,
        clientId=app["client_id"],
        clientSecret=app["client_secret"],
        publicClientId=public["client_id"],
        username=ADA,
    )
    send(emulator, "noreply@contoso.com", found["application"])
    for name in ("device", "code"):
        assert found[name]["username"] == ADA
        send(emulator, ADA, found[name]["token"])
    assert found["silent"] != found["code"]["token"]
    send(emulator, ADA, found["silent"])


def test_nodemailer(emulator: Emulator) -> None:
    renewing = emulator.settings("refresh_token", ADA)["auth"]
    sent = node(
        "nodemailer.cjs",
        emulator,
        ca=str(emulator.about["ca_file"]),
        port=emulator.about["smtp_port"],
        tlsPort=emulator.about["smtps_port"],
        user=ADA,
        accessToken=emulator.settings("access_token", ADA)["auth"]["access_token"],
        clientId=renewing["client_id"],
        refreshToken=renewing["refresh_token"],
        accessUrl=f"{emulator.about['authority']}/contoso.com/oauth2/v2.0/token",
    )
    assert [one["accepted"] for one in sent] == [["ada@example.com"]] * 3, sent


def test_google_auth(google: Emulator) -> None:
    auth = google.settings("refresh_token", "ada@example.com")["auth"]
    session = requests.Session()
    session.verify = str(google.about["ca_file"])
    credentials = google_credentials.Credentials(
        None,
        refresh_token=auth["refresh_token"],
        token_uri=auth["token_endpoint"],
        client_id=auth["client_id"],
        client_secret=auth["client_secret"],
    )
    credentials.refresh(google_transport.Request(session=session))
    assert credentials.valid
    send(google, "ada@example.com", credentials.token)
