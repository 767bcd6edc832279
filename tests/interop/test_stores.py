"""Where sign-ins are kept: one for every face, opened by a second implementation, and never lost or doubled."""

from __future__ import annotations

import base64
import http.server
import json
import os
import random
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from conftest import skip
from emulator import Emulator
from faces import BINARY, EMULATOR, Face, toml
from redis_server import PASSWORD, Redis
from servers import until
from worker import Worker

KEY = "only for tests, and long enough to be a key"
ADA = "ada@contoso.com"
KILLS = 500
PROCESSES = 20
SECONDS = float(os.environ.get("INTEROP_STORE_SECONDS", "60"))


class Service:
    """A token endpoint before the emulator's that keeps books, and the place of a store in the host's own code."""

    def __init__(self, emulator: Emulator) -> None:
        self.answers: list[tuple[str, str]] = []
        """Each refresh token that was taken, and the one that was given for it."""
        self.refused = 0
        self.lock = threading.Lock()
        self.connections = 0
        self.kept: dict[str, tuple[str, int]] = {}
        self.version = 0
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/load":
                    found = service.kept.get(json.loads(body)["key"])
                    return self.say(200, found and {"entry": found[0], "version": found[1]})
                if self.path == "/save":
                    return self.say(200, service.save(**json.loads(body)))
                self.token(body)

            def do_GET(self) -> None:
                self.close_connection = True
                self.say(200, None)

            def token(self, body: bytes) -> None:
                request = urllib.request.Request(emulator.url + self.path, body, {"Content-Type": self.headers["Content-Type"]})
                sent = dict(urllib.parse.parse_qsl(body.decode()))["refresh_token"]
                try:
                    with urllib.request.urlopen(request, timeout=10) as answer:
                        given = json.load(answer)
                    with service.lock:
                        service.answers.append((sent, given["refresh_token"]))
                    self.say(200, given)
                except urllib.error.HTTPError as refusal:
                    with service.lock:
                        service.refused += 1
                    self.say(refusal.code, json.load(refusal))

            def say(self, status: int, body: Any) -> None:
                octets = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def handle(self) -> None:
                # Clients are killed here.
                try:
                    super().handle()
                except OSError:
                    pass

            def log_message(self, *_: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def process_request(self, *about: Any) -> None:
                with service.lock:
                    service.connections += 1
                super().process_request(*about)

            def shutdown_request(self, request: Any) -> None:
                super().shutdown_request(request)
                with service.lock:
                    service.connections -= 1

        self.emulator = emulator
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def save(self, key: str, entry: str | None, version: int | None) -> bool:
        with self.lock:
            found = self.kept.get(key)
            if (found and found[1]) != version:
                return False
            self.version += 1
            if entry is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = (entry, self.version)
            return True

    def options(self, store: Any) -> dict[str, Any]:
        """With a sign-in of its own each time."""
        found = self.emulator.settings("refresh_token", ADA)
        endpoint = f"{self.url}/contoso.com/oauth2/v2.0/token"
        return {**found, "auth": {**found["auth"], "token_endpoint": endpoint}, "store": store}

    def settle(self) -> None:
        """Waits until all is done that clients asked for who are gone."""
        # Connections are taken in order: those before this one are counted when it is answered.
        urllib.request.urlopen(self.url, timeout=10).close()
        until(lambda: self.connections == 0, "the token endpoint to finish")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def strict() -> Iterator[Emulator]:
    """One that revokes a sign-in whose old refresh token comes again."""
    found = Emulator(EMULATOR, json.dumps({"config": {"refresh_rotation": "reuse_detection"}}))
    yield found
    found.close()


@pytest.fixture
def service(strict: Emulator) -> Iterator[Service]:
    made = Service(strict)
    yield made
    made.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    if not shutil.which("redis-server"):
        skip("redis-server is not installed")
    made = Redis(tmp_path_factory.mktemp("redis"))
    yield made
    made.close()


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The option, for a place named as in the test's parameter."""
    kind, _, sealed = request.param.partition(", ")
    key = {"key": KEY} if sealed else {}
    match kind:
        case "file":
            return {"kind": "file", "path": str(tmp_path / "tokens.json"), **key}
        case "redis":
            redis = request.getfixturevalue("redis")
            redis.ask("FLUSHALL")
            return {"kind": "redis", "url": redis.url, **key}
    return "host"


def everything(store: dict[str, Any], redis: Redis | None) -> dict[str, dict[str, Any]]:
    """All entries of a store, as they stand there."""
    if store["kind"] == "file":
        return {key: slot["entry"] for key, slot in json.loads(Path(store["path"]).read_text())["entries"].items()}
    assert redis is not None
    keys = redis.ask("SMEMBERS", "mailbearer:{tokens}:all").splitlines()
    return {key: json.loads(redis.ask("HGET", f"mailbearer:{{tokens}}:{key}", "entry")) for key in keys}


def opened(key: str, sealed: dict[str, Any]) -> dict[str, Any]:
    """What docs/tokens.md says of a sealed entry."""
    salt, data = base64.b64decode(sealed["salt"]), base64.b64decode(sealed["data"])
    secret = HKDF(SHA256(), 32, salt, b"mailbearer store 1").derive(KEY.encode())
    entry: dict[str, Any] = json.loads(AESGCM(secret).decrypt(data[:12], data[12:], key.encode()))
    return entry


@pytest.mark.parametrize("store", ["file, sealed", "redis", "redis, sealed"], indirect=True)
def test_one_sign_in_serves_every_face(
    faces: dict[str, Face], store: dict[str, Any], service: Service, request: pytest.FixtureRequest
) -> None:
    given = service.options(store)
    tokens = set()
    for face in faces.values():
        answer = face.call({"op": "token", "options": given})
        assert "ok" in answer, (face.name, answer)
        tokens.add(answer["ok"]["secret"])
        face.call({"op": "close"})
    assert len(tokens) == 1 and len(service.answers) == 1
    # Each renews what the one before renewed.
    for face in faces.values():
        answer = face.call({"op": "token", "options": given, "force": True})
        assert "ok" in answer, (face.name, answer)
        tokens.add(answer["ok"]["secret"])
        face.call({"op": "close"})
    assert len(tokens) == len(service.answers) == len(faces) + 1 and service.refused == 0
    redis = request.getfixturevalue("redis") if store["kind"] == "redis" else None
    ((key, entry),) = everything(store, redis).items()
    assert ADA in key
    assert ("sealed" in entry) == ("key" in store)
    if "sealed" in entry:
        assert not any(secret in json.dumps(entry) for pair in service.answers for secret in pair)
        entry = opened(key, entry)
    assert entry["refresh_token"] == service.answers[-1][1]


@pytest.mark.parametrize(("change", "hint"), [(("url", "wrong-password"), "store.url"), (("key", "x" * 30), "store.key")])
def test_a_store_that_does_not_open_says_which_option_is_wrong(
    face: Face, redis: Redis, service: Service, change: tuple[str, str], hint: str
) -> None:
    redis.ask("FLUSHALL")
    given = service.options({"kind": "redis", "url": redis.url, "key": KEY})
    assert "ok" in face.call({"op": "token", "options": given})
    face.call({"op": "close"})
    name, value = change
    given["store"][name] = redis.url.replace(PASSWORD, value) if name == "url" else value
    error = face.call({"op": "token", "options": given})["error"]
    assert error["code"] == "store_failed" and not error["retryable"] and hint in error["hint"], error
    assert PASSWORD not in str(error) and value not in str(error) and len(service.answers) == 1


@pytest.mark.parametrize("rotation", ["entra", "reuse_detection"])
def test_killed_processes_lose_no_sign_in(rotation: str, tmp_path: Path) -> None:
    emulator = Emulator(EMULATOR, json.dumps({"config": {"refresh_rotation": rotation}}))
    service = Service(emulator)
    try:
        behind, refused = killed(service, tmp_path, random.Random(20261231))
    finally:
        service.close()
        emulator.close()
    # The old token stays good; or it is gone, for those that died between the answer and its fsync alone.
    assert refused == (0 if rotation == "entra" else behind)


def killed(service: Service, folder: Path, chance: random.Random) -> tuple[int, int]:
    """Kills programs that renew a token, as often as `KILLS`; how often one died with the answer in its hands, and how
    many tokens were refused."""
    path, config = folder / "tokens.json", folder / "config.toml"
    command = [BINARY, "--config", config, "token", "--force"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAILBEARER_")}

    def configure() -> None:
        config.write_text(toml(service.options({"kind": "file", "path": str(path)})), encoding="utf-8")
        config.chmod(0o600)

    configure()
    begun = time.monotonic()
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30)
    span = 1.3 * (time.monotonic() - begun)
    behind = refused = printed = 0
    was_behind = False
    for _ in range(KILLS):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(chance.random() * span)
        process.kill()
        out, _ = process.communicate(timeout=10)
        service.settle()
        content = json.loads(path.read_text())
        ((key, slot),) = content["entries"].items()
        entry = slot["entry"]
        if service.refused > refused:
            # The price of having died too early: a person signs in again.
            assert was_behind
            refused, was_behind = service.refused, False
            path.unlink()
            configure()
            subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30)
            continue
        sent, given = service.answers[-1]
        # Never torn, and older than the last answer by that one alone.
        assert entry["refresh_token"] in (sent, given), "the store has lost a rotation"
        if out:
            printed += 1
            assert entry["refresh_token"] == given, "a token was printed before the store had its successor"
        if entry["refresh_token"] == sent and not was_behind:
            behind, was_behind = behind + 1, True
        elif entry["refresh_token"] == given:
            was_behind = False
        if entry.get("refreshing"):
            # A claim ends by time; here by hand.
            entry["refreshing"]["until"] = 0
            path.write_text(json.dumps(content))
    assert printed and printed < KILLS, "the kills came at no interesting time"
    leftovers = {file.name for file in folder.iterdir()} - {"tokens.json", "tokens.json.lock", "tokens.json.new", "config.toml"}
    assert not leftovers
    # The last one's loss shows with the next request.
    if was_behind:
        subprocess.run(command, env=environment, capture_output=True, timeout=30)
        refused = service.refused
    return behind, refused


def together(service: Service, store: Any, count: int, seconds: float, force: bool) -> list[dict[str, Any]]:
    given = service.options("memory" if store == "host" else store)
    host = service.url if store == "host" else None
    if host:
        del given["store"]
    begin = {"options": given, "host": host, "seconds": seconds}
    workers = [Worker(["python", "node"][number % 2], "tokens", begin) for number in range(count)]
    try:
        for worker in workers:
            worker.tell({"force": force})
        return [worker.result() for worker in workers]
    finally:
        for worker in workers:
            worker.close()


@pytest.mark.parametrize("store", ["file", "redis", "host"], indirect=True)
def test_two_processes_that_race_ask_once(store: Any, service: Service) -> None:
    results = together(service, store, 2, 0, force=False)
    assert [result["errors"] for result in results] == [[], []]
    assert results[0]["last"] == results[1]["last"] and len(service.answers) == 1


@pytest.mark.parametrize("store", ["file", "redis", "host"], indirect=True)
def test_twenty_processes_share_a_rotating_sign_in(store: Any, service: Service) -> None:
    results = together(service, store, PROCESSES, SECONDS, force=True)
    assert [result["errors"] for result in results if result["errors"]] == []
    assert all(result["count"] for result in results)
    assert service.refused == 0 and len(service.answers) > PROCESSES
    # Each renewal began with what the one before had given.
    assert all(given == sent for (_, given), (sent, _) in zip(service.answers, service.answers[1:], strict=False))


KEYRING = """
set -eu
printf pw | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null 2>&1 &
keyring=$!
sleep 2
status=0
"$@" token --force >/dev/null && "$@" --json token || status=$?
kill $keyring
exit $status
"""


def test_the_systems_keyring_keeps_the_key(service: Service, tmp_path: Path) -> None:
    missing = [tool for tool in ("secret-tool", "gnome-keyring-daemon", "dbus-run-session") if not shutil.which(tool)]
    if missing:
        skip(f"not installed: {', '.join(missing)}")
    path, config = tmp_path / "tokens.json", tmp_path / "config.toml"
    config.write_text(toml(service.options({"kind": "keyring", "path": str(path)})), encoding="utf-8")
    config.chmod(0o600)
    home = {name: str(tmp_path / name) for name in ("HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME")}
    for folder in home.values():
        Path(folder).mkdir(mode=0o700)
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("MAILBEARER_", "DBUS_"))}, **home}
    command = ["dbus-run-session", "--", "bash", "-c", KEYRING, "bash", BINARY, "--config", config]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    # Two processes, one renewal: the second opened what the first had sealed.
    assert json.loads(ran.stdout)["access_token"] and len(service.answers) == 1
    (slot,) = json.loads(path.read_text())["entries"].values()
    assert slot["entry"]["sealed"] == 1
    # Without a session there is a sentence.
    alone = subprocess.run([BINARY, "--config", config, "token"], env=environment, capture_output=True, text=True, timeout=60)
    assert alone.returncode == 78 and "keyring" in alone.stderr, alone.stderr
