"""Every case in every face: what the caller got, and what the server saw."""

from __future__ import annotations

import copy
import json
import re
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from emulator import Emulator
from faces import EMULATOR, FACES, Face, printed, start
from matching import differences

HERE = Path(__file__).resolve().parent


def spread(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A case with an `each` list is one case for each of its rows, whose values stand for `{name}`."""
    for row in case.pop("each", [{}]):
        filled = put_in(case, row)
        # A whole table of the row: TOML has no other place for it.
        for name in ("emulator", "service"):
            filled[name] = filled.get(name, {}).get("*", filled.get(name, {}))
        yield filled


def put_in(value: Any, row: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: put_in(item, row) for key, item in value.items()}
    if isinstance(value, list):
        return [put_in(item, row) for item in value]
    if isinstance(value, str):
        if value[1:-1] in row and value == f"{{{value[1:-1]}}}":
            return row[value[1:-1]]
        for key, item in row.items():
            value = value.replace(f"{{{key}}}", str(item))
    return value


CASES = {
    case["name"]: case
    for file in sorted((HERE / "cases").glob("*.toml"))
    for template in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
    for case in spread(template)
}
DEFAULT_USERNAME = "noreply@contoso.com"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    found = Emulator(EMULATOR)
    yield found
    found.close()


OTHERS: dict[str, Emulator] = {}


@pytest.fixture(scope="session", autouse=True)
def others() -> Iterator[None]:
    yield
    for found in OTHERS.values():
        found.close()


def service_of(options: dict[str, Any], usual: Emulator) -> Emulator:
    """The emulator of a case that needs one of its own kind."""
    if not options:
        return usual
    key = json.dumps(options)
    if key not in OTHERS:
        OTHERS[key] = Emulator(EMULATOR, key)
    return OTHERS[key]


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Face]]:
    found: dict[str, Face] = {}
    yield found
    for face in found.values():
        face.close()


def face_of(name: str, faces: dict[str, Face], folder: Path) -> Face:
    """Shims live for the whole run, so that hundreds of cases take seconds."""
    if name not in faces:
        faces[name] = start(name, folder)
    return faces[name]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("face_name", FACES)
def test_case(
    face_name: str, name: str, emulator: Emulator, faces: dict[str, Face], tmp_path_factory: pytest.TempPathFactory
) -> None:
    case = copy.deepcopy(CASES[name])
    if face_name in case.get("not_for", {}):
        pytest.skip(case["not_for"][face_name])
    face = face_of(face_name, faces, tmp_path_factory.getbasetemp())
    run = Run(case, face, service_of(case["service"], emulator), tmp_path_factory.mktemp("case"))
    found = run.differences()
    expected = (HERE / "expected_failures" / f"{face_name}.txt").read_text().splitlines()
    if name in expected:
        assert found, f"{name} passes now: take it off the list"
        return
    assert not found, "\n".join(found)


class Run:
    """One case in one face."""

    def __init__(self, case: dict[str, Any], face: Face, emulator: Emulator, folder: Path) -> None:
        self.case, self.face, self.emulator, self.folder = case, face, emulator, folder
        self.kept: dict[str, Any] = {"about": emulator.about}

    def differences(self) -> list[str]:
        needed = {step["op"] for step in self.case["step"]} - HARNESS_OPS
        missing = [op for op in needed if not self.face.can(op)]
        if missing:
            pytest.skip(f"{self.face.name} has no {', '.join(sorted(missing))}")
        self.emulator.post("configure", **{**DEFAULTS, **self.case.get("emulator", {})})
        self.emulator.clear()
        for name, content in self.case.get("files", {}).items():
            (self.folder / name).write_text(content, encoding="utf-8")
        for name, size in self.case.get("big_files", {}).items():
            (self.folder / name).write_bytes(bytes(range(256)) * (size // 256))
        found: list[str] = []
        try:
            for at, step in enumerate(self.case["step"]):
                found += [f"step {at} ({step['op']}){difference}" for difference in self.step(step)]
        finally:
            self.face.call({"op": "close"})
        return found

    def step(self, step: dict[str, Any]) -> list[str]:
        for fault in step.get("fail", []):
            self.emulator.post("fail", **self.fill(fault))
        before = self.emulator.seen()
        op = step["op"]
        if op in HARNESS_OPS:
            getattr(self, op)(step)
            return []
        request = self.request(step)
        if step.get("visit"):
            threading.Thread(target=self.visit, args=(step["visit"],), daemon=True).start()
        answer = self.face.call(request)
        if "ok" in answer and step.get("keep"):
            self.kept[step["keep"]] = answer["ok"]
        found: list[str] = []
        for key in ("ok", "error"):
            if key in step:
                if key not in answer:
                    found.append(f": expected {key}, got {answer}")
                found += differences(self.spelled(step[key]), answer.get(key), f".{key}")
        if "ok" in step and "error" not in step and "error" in answer:
            found.append(f": unexpected error {answer['error']}")
        text = str(answer)
        if op not in ("token", "save"):
            with printed(self.face.name) as file:
                file.write(text.encode() + b"\n")
        found += [f": the answer holds the secret {name}" for name in self.leaks(text, op)]
        if "server" in step:
            found += differences(step["server"], self.saw(before), ".server")
        return found

    def request(self, step: dict[str, Any]) -> dict[str, Any]:
        request = {key: value for key, value in step.items() if key in PASSED_ON}
        request = self.fill(request)
        first = "options" not in self.kept
        if "options" in step or "grant" in step or first:
            settings = self.emulator.settings(step.get("grant", "client_credentials"), step.get("username", DEFAULT_USERNAME))
            request["options"] = overlay(settings, self.fill(step.get("options", {})))
            # At the most verbose level: what is printed is searched for secrets in the end.
            request["options"]["trace"] = True
            if step.get("report"):
                # One case's refusals are not the next one's.
                overlay(request["options"], {"limits": {"breaker": False}})
            for path in step.get("without", []):
                remove(request["options"], path.split("."))
            self.kept["options"] = request["options"]
        return request

    def fill(self, value: Any) -> Any:
        """`{folder}` is the case's own folder; `$name.key` is what an earlier step kept."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str):
            if value.startswith("$"):
                name, _, key = value[1:].partition(".")
                return self.kept[name][key] if key else self.kept[name]
            return value.replace("{folder}", str(self.folder)).replace("{endless}", "x" * 300_000)
        return value

    def spelled(self, value: Any) -> Any:
        """`{option:smtp.hello_name}` as the face's language writes it."""
        if isinstance(value, dict):
            return {key: self.spelled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.spelled(item) for item in value]
        if not isinstance(value, str):
            return value

        def written(found: re.Match[str]) -> str:
            name = found[1]
            return re.sub("_([a-z])", lambda m: m[1].upper(), name) if self.face.name == "node" else name

        return re.sub(r"\{option:([^}]+)\}", written, value)

    def saw(self, before: dict[str, Any]) -> dict[str, Any]:
        """What the server saw since `before`: lists as lists, with their lengths as `…_count`."""
        # A verdict may reach the caller before the server's own books are closed.
        after = self.emulator.seen()
        new = {key: value[len(before[key]) :] for key, value in after.items() if isinstance(value, list)}
        counts = {f"{key}_count": len(value) for key, value in new.items()}
        numbers = {k: v - before.get(k, 0) for k, v in after.items() if isinstance(v, int) and not isinstance(v, bool)}
        return {**new, **counts, **numbers}

    def leaks(self, text: str, op: str) -> list[str]:
        if op == "token":
            return []
        auth = self.kept["options"].get("auth", {})
        names = ("client_secret", "refresh_token", "access_token")
        return [n for n in names if isinstance(auth.get(n), str) and len(auth[n]) > 6 and auth[n] in text]

    # What the harness does itself, between the caller's steps.

    def sign_in(self, step: dict[str, Any]) -> None:
        url = self.fill(step["url"])
        decision = step.get("decision", "approve")
        answer = self.emulator.post("sign_in", url=url, username=step["username"], decision=decision)
        self.kept[step["keep"]] = answer

    def other_program(self, step: dict[str, Any]) -> None:
        """What another program keeps of a sign-in."""
        auth = self.emulator.settings("refresh_token", step["username"])["auth"]
        token, client = auth["refresh_token"], step.get("client_id", auth["client_id"])
        match step["kind"]:
            case "msal":
                host, home = auth["authority"].split("//")[1].split(":")[0], {"home_account_id": "o.t"}
                kept: dict[str, Any] = {
                    "Account": {"a": {**home, "environment": host, "username": step["username"]}},
                    "RefreshToken": {"r": {**home, "environment": host, "secret": token, "client_id": client}},
                }
            case "mutt":
                kept = {"email": step["username"], "refresh_token": token, "client_id": client, "client_secret": ""}
            case _:
                kept = {"refresh_token": token, "expiry": "0"}
        self.kept[step["keep"]] = {"text": json.dumps(kept)}

    def collector(self, step: dict[str, Any]) -> None:
        """Something that takes OpenTelemetry's requests, and answers with `status`."""
        taken: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taken.append({"path": self.path, "type": self.headers["Content-Type"], "body": json.loads(body)})
                self.send_response(step.get("status", 200))
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.kept[step["keep"]] = {"url": f"http://127.0.0.1:{server.server_port}", "taken": taken, "server": server}

    def collected(self, step: dict[str, Any]) -> None:
        """Compares the last request that the collector took; metrics stand under their names."""
        collector = self.kept[step["from"]]
        collector["server"].shutdown()
        last = collector["taken"][-1]
        one = last["body"]["resourceMetrics"][0]
        metrics = {metric.pop("name"): metric for metric in one["scopeMetrics"][0]["metrics"]}
        found = differences(step["expect"], {**last, "resource": one["resource"], "metrics": metrics}, "collected")
        assert not found, "\n".join(found)

    def mint(self, step: dict[str, Any]) -> None:
        """An access token as a service of one's own might bring."""
        self.kept[step["keep"]] = self.emulator.post("mint", **step["token"])

    def approve(self, step: dict[str, Any]) -> None:
        code = self.fill(step["user_code"])
        decision = step.get("decision", "approve")
        self.emulator.post("approve", user_code=code, username=step["username"], decision=decision)

    def revoke(self, step: dict[str, Any]) -> None:
        self.emulator.post("revoke", username=step["username"])

    def expire_tokens(self, step: dict[str, Any]) -> None:
        self.emulator.post("expire_tokens")

    def sleep(self, step: dict[str, Any]) -> None:
        time.sleep(step["seconds"])

    def received(self, step: dict[str, Any]) -> None:
        """Parses the last message with Python's own parser and compares headers and parts."""
        from email import message_from_bytes, policy

        messages = self.emulator.seen()["messages"]
        raw = self.emulator.raw(len(messages))
        mail = message_from_bytes(raw, policy=policy.default)
        parts = [
            {
                "type": part.get_content_type(),
                "filename": part.get_filename(),
                "content_id": part["Content-ID"],
                "text": part.get_content().replace("\r\n", "\n") if part.get_content_maintype() == "text" else None,
            }
            for part in mail.walk()
        ]
        headers = {name.lower(): str(value) for name, value in mail.items()}
        seen = {"headers": headers, "parts": parts, "defects": [str(d) for d in mail.defects], "raw": raw.decode("latin-1")}
        found = differences(step["expect"], seen, "received")
        assert not found, "\n".join(found)

    def visit(self, callback: str) -> None:
        urllib.request.urlopen(self.fill(callback), timeout=10).close()


def overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        base[key] = overlay(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return base


def remove(table: dict[str, Any], path: list[str]) -> None:
    for key in path[:-1]:
        table = table.get(key, {})
    table.pop(path[-1], None)


HARNESS_OPS = {"collector", "collected", "mint", "other_program", "sign_in", "approve", "revoke", "expire_tokens", "sleep", "received"}
PASSED_ON = {
    "op", "message", "messages", "repeat", "blobs", "raw", "envelope", "tag", "call",
    "method", "redirect_uri", "callback", "saved", "send_to", "force", "text", "from", "report",
}  # fmt: skip
# What a case may change, put back before each.
DEFAULTS: dict[str, Any] = dict.fromkeys(
    (
        "starttls", "mechanisms", "without", "extensions", "max_line", "plaintext_before_tls", "auth_refusal", "size_limit",
        "max_connections", "send_as", "token_lifetime", "expires_in_as_string", "refresh_rotation", "device_interval",
        "app_roles",
    )
)  # fmt: skip
