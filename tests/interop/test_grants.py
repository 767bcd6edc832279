"""Applications that sign in without a secret, each of them in every face. What they sign is judged by `cryptography`."""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import json
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from conftest import IMDS_PORT, Options
from emulator import Emulator
from faces import Face
from servers import Postfix

HELLO = {"to": ["ada@example.test"], "subject": "Hello", "text": "Hi\n"}
PASSWORD = "only for tests: Grüße"
GOOGLE = "robot@project.iam.gserviceaccount.com"


class Services:
    """A token endpoint that looks at what was signed, and this machine's identity service."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.asked: list[dict[str, str]] = []
        self.client_id = ""
        services = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                form = dict(urllib.parse.parse_qsl(body.decode()))
                services.asked.append(form)
                if form["grant_type"].endswith("jwt-bearer"):
                    return self.say(200, services.minted(app_only=False))
                # The emulator signs for itself and forwards to nobody: it judges the claims.
                request = urllib.request.Request(emulator.url + self.path, body, {"Content-Type": self.headers["Content-Type"]})
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self.say(200, json.load(answer))

            def do_GET(self) -> None:
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                services.asked.append({"path": url.path, **query})
                if url.path == "/github":
                    if self.headers["Authorization"] != "bearer job-secret":
                        return self.say(401, {"message": "no"})
                    return self.say(200, {"count": 1, "value": federated(services.client_id)})
                if self.headers["Metadata"] != "true" or query.get("client_id") == "nobody":
                    return self.say(400, {"error": "invalid_request", "error_description": "Identity not found"})
                token = services.minted(app_only=True)
                self.say(200, {"access_token": token["access_token"], "expires_in": "86400", "token_type": "Bearer"})

            def say(self, status: int, body: Any) -> None:
                octets = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", IMDS_PORT), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{IMDS_PORT}"

    def minted(self, app_only: bool) -> dict[str, Any]:
        token = self.emulator.post("mint", app_only=app_only)
        return {"access_token": token["access_token"], "expires_in": 3599, "token_type": "Bearer"}

    def verified(self, name: str, public: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of the last request's assertion, whose signature holds."""
        header, claims, signature = self.asked[-1][name].split(".")
        signed, octets = f"{header}.{claims}".encode(), decoded(signature)
        about = json.loads(decoded(header))
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        match about["alg"]:
            case "PS256":
                public.verify(octets, signed, pss, hashes.SHA256())
            case "RS256":
                public.verify(octets, signed, padding.PKCS1v15(), hashes.SHA256())
            case "ES256":
                r, s = int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big")
                public.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        return about, json.loads(decoded(claims))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def federated(client_id: str, number: int = 0) -> str:
    claims = {"iss": client_id, "sub": client_id, "jti": str(number), "aud": "api://x/token", "exp": 4_000_000_000}
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{part}.c2ln"


def decoded(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture(scope="module")
def services(emulator: Emulator) -> Iterator[Services]:
    made = Services(emulator)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def forget(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("services").asked.clear()


def private(key: Any) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def sent(face: Face, given: dict[str, Any]) -> dict[str, Any]:
    answer = face.call({"op": "send", "options": given, "message": HELLO})
    assert "ok" in answer, answer
    return answer["ok"]


@pytest.mark.parametrize(("kind", "more", "algorithm"), [
    ("rsa", {}, "PS256"), ("rsa", {"algorithm": "RS256", "send_chain": True}, "RS256"), ("ec", {}, "ES256"),
    ("rsa", {"password": PASSWORD}, "PS256"), ("ec", {"password": PASSWORD, "send_chain": True}, "ES256"),
])  # fmt: skip
def test_a_certificate(
    face: Face, postfix: Postfix, options: Options, services: Services, tmp_path: Path,
    kind: str, more: dict[str, Any], algorithm: str,
) -> None:  # fmt: skip
    key: Any = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = dt.datetime.now(dt.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    file = tmp_path / "app"
    if "password" in more:
        sealed = serialization.BestAvailableEncryption(PASSWORD.encode())
        file.write_bytes(pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, sealed))
    else:
        file.write_bytes(private(key) + certificate.public_bytes(serialization.Encoding.PEM))
    given = options(postfix)
    del given["auth"]["client_secret"]
    endpoint = f"{services.url}/contoso.com/oauth2/v2.0/token"
    given["auth"] |= {"certificate": {"file": str(file), **more}, "token_endpoint": endpoint}
    sent(face, given)
    header, claims = services.verified("client_assertion", key.public_key())
    assert header["alg"] == algorithm and header["typ"] == "JWT"
    assert decoded(header["x5t#S256"]) == certificate.fingerprint(hashes.SHA256())
    if more.get("send_chain"):
        assert [base64.b64decode(one) for one in header["x5c"]] == [certificate.public_bytes(serialization.Encoding.DER)]
    assert claims["aud"] == endpoint and claims["iss"] == claims["sub"] == given["auth"]["client_id"]
    assert claims["jti"] and 0 < claims["exp"] - claims["nbf"] <= 600
    assert "client_secret" not in services.asked[-1]
    if "password" in more:
        given["auth"]["certificate"]["password"] = "hunter2"
        error = face.call({"op": "open", "options": given})["error"]
        assert error["code"] == "config_invalid" and "password" in error["message"], error
        assert "hunter2" not in str(error)


def test_a_federated_token_is_read_anew(
    face: Face, postfix: Postfix, options: Options, services: Services, tmp_path: Path
) -> None:
    given = options(postfix)
    del given["auth"]["client_secret"]
    file = tmp_path / "token"
    given["auth"] |= {"client_assertion": {"file": str(file)}, "token_endpoint": f"{services.url}/contoso.com/oauth2/v2.0/token"}
    for number in range(2):
        token = federated(given["auth"]["client_id"], number)
        file.write_text(token + "\n")
        answer = face.call({"op": "token", "options": given, "force": True})
        assert "ok" in answer, answer
        assert services.asked[-1]["client_assertion"] == token


def test_a_github_jobs_own_token(face: Face, postfix: Postfix, options: Options, services: Services) -> None:
    given = options(postfix)
    del given["auth"]["client_secret"]
    services.client_id = given["auth"]["client_id"]
    endpoint = f"{services.url}/contoso.com/oauth2/v2.0/token"
    given["auth"] |= {"client_assertion": {"github": True}, "token_endpoint": endpoint}
    sent(face, given)
    asked, posted = services.asked[-2:]
    assert asked == {"path": "/github", "api-version": "2.0", "audience": "api://AzureADTokenExchange"}
    assert posted["client_assertion"] == federated(services.client_id)


def test_a_service_account(
    face: Face, postfix: Postfix, options: Options, services: Services, tmp_path: Path
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    file = tmp_path / "robot.json"
    about = {"type": "service_account", "client_email": GOOGLE, "private_key_id": "k1", "private_key": private(key).decode(),
             "token_uri": "https://oauth2.googleapis.com/token"}  # fmt: skip
    file.write_text(json.dumps(about))
    given = options(postfix)
    given |= {"provider": "gmail", "danger_token_to_host": True}
    given["auth"] = {"grant": "jwt_bearer", "key_file": str(file), "token_endpoint": f"{services.url}/token"}
    sent(face, given)
    header, claims = services.verified("assertion", key.public_key())
    assert (header["alg"], header["kid"]) == ("RS256", "k1")
    assert (claims["iss"], claims["sub"]) == (GOOGLE, "noreply@contoso.com")
    assert claims["scope"] == "https://mail.google.com/" and claims["aud"] == f"{services.url}/token"
    assert claims["exp"] - claims["iat"] == 3600


def test_the_machines_identity(face: Face, postfix: Postfix, options: Options, services: Services) -> None:
    given = options(postfix)
    given["auth"] = {"grant": "managed_identity", "identity_client_id": "id-1"}
    sent(face, given)
    assert services.asked[-1] == {
        "path": "/metadata/identity/oauth2/token", "api-version": "2018-02-01",
        "resource": "https://outlook.office365.com", "client_id": "id-1",
    }  # fmt: skip
    given["auth"]["identity_client_id"] = "nobody"
    error = face.call({"op": "send", "options": given, "message": HELLO})["error"]
    assert error["code"] == "client_rejected" and "Assign" in error["hint"], error


@pytest.mark.parametrize("as_json", [False, True])
def test_a_program_prints_the_token(
    face: Face, postfix: Postfix, options: Options, services: Services, as_json: bool
) -> None:
    token = services.minted(app_only=True)
    printed = json.dumps(token) if as_json else token["access_token"]
    given = options(postfix)
    given["auth"] = {"grant": "command", "command": [sys.executable, "-c", f"print({printed!r})"]}
    sent(face, given)
    given["auth"]["command"] = [sys.executable, "-c", "import sys; print('hunter2'); sys.exit(3)"]
    error = face.call({"op": "send", "options": given, "message": HELLO})["error"]
    assert error["code"] == "token_provider_failed" and "3" in error["message"], error
    assert "hunter2" not in str(error)
