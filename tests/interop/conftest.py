"""What the tests share: the emulator, the servers, and the faces that send."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from faces import EMULATOR, FACES, Face, start
from servers import EXIM, Exim, Postfix, free_port, missing

# Where the faces look for the machine's own identity, and for a GitHub job's; known before any of them is started.
IMDS_PORT = free_port()
os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"http://127.0.0.1:{IMDS_PORT}/github?api-version=2.0"
os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "job-secret"
os.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = f"http://127.0.0.1:{IMDS_PORT}"
MUST_RUN = bool(os.environ.get("INTEROP_MUST_RUN"))


def skip(why: str) -> None:
    if MUST_RUN:
        pytest.fail(f"this must run here: {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    found = Emulator(EMULATOR)
    yield found
    found.close()


@pytest.fixture(scope="session")
def google() -> Iterator[Emulator]:
    found = Emulator(EMULATOR, json.dumps({"dialect": "google"}))
    yield found
    found.close()


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Short, since Unix sockets' paths are, and open to the servers' own users."""
    made = Path(tempfile.mkdtemp(prefix="mb-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def postfix(folder: Path, emulator: Emulator) -> Iterator[Postfix]:
    why = missing("postfix", "dovecot")
    if why:
        skip(why)
    with urllib.request.urlopen(f"{emulator.url}/contoso.com/discovery/v2.0/keys", timeout=10) as answer:
        keys = json.load(answer)
    made = Postfix(folder / "p", keys)
    yield made
    made.close()


@pytest.fixture(scope="session")
def exim(folder: Path) -> Iterator[Exim]:
    why = missing("unshare", EXIM)
    if why:
        skip(why)
    made = Exim(folder / "e")
    yield made
    made.close()


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Face]]:
    started = {name: start(name, tmp_path_factory.mktemp(name)) for name in FACES}
    yield started
    for face in started.values():
        face.close()


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest, faces: dict[str, Face]) -> Iterator[Face]:
    found = faces[request.param]
    yield found
    found.call({"op": "close"})


class Options:
    """A mailer's options for a server with a token of the emulator."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder

    def __call__(
        self, server: Any, grant: str = "client_credentials", username: str = "noreply@contoso.com", **over: Any
    ) -> dict[str, Any]:
        found = self.emulator.settings(grant, username)
        # One list of authorities serves the sign-in service and the mail server.
        roots = self.folder / f"roots-{server.port}.pem"
        roots.write_text(Path(self.emulator.about["ca_file"]).read_text() + server.certificates.ca.read_text())
        smtp = {"host": "localhost", "port": server.port, "security": "starttls", **over.pop("smtp", {})}
        if smtp["security"] == "tls":
            smtp["port"] = server.tls_port
        limits = {**found["limits"], **over.pop("limits", {})}
        return {**found, "smtp": smtp, "tls": {"roots": str(roots)}, "limits": limits, **over}


@pytest.fixture
def options(emulator: Emulator, tmp_path: Path) -> Options:
    return Options(emulator, tmp_path)
