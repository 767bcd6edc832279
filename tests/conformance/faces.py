"""Starts one shim per face and passes requests to it, one JSON line each."""

from __future__ import annotations

import atexit
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
SHIMS = Path(__file__).resolve().parent / "shims"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
BINARY = TARGET / "mailbearer"
EMULATOR = TARGET / "examples" / "serve"


class Face(Protocol):
    """A way to call the library."""

    name: str

    def call(self, request: dict[str, Any]) -> dict[str, Any]: ...

    def can(self, op: str) -> bool: ...

    def close(self) -> None: ...


def printed(name: str) -> BinaryIO:
    """Where all that a face prints beside its answers is kept, to be searched for secrets."""
    return open(PRINTED / f"{name}.txt", "ab")


class Shim:
    """A shim that speaks JSON lines."""

    def __init__(self, name: str, command: list[str | Path]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=printed(name), text=True
        )

    def can(self, op: str) -> bool:
        return True

    def encode(self, request: dict[str, Any]) -> str:
        return json.dumps(request) + "\n"

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(self.encode(request))
        self.process.stdin.flush()
        # A hang is the library's fault: say which request it was, instead of hanging the whole run.
        timer = threading.Timer(WAIT, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        assert line, f"{self.name} ended or did not answer within {WAIT} s: {request}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(20) == 0, f"{self.name} did not end cleanly"


class FlatShim(Shim):
    """The C shim: no JSON parser there, so a request is lines of `word percent-encoded-values`."""

    def encode(self, request: dict[str, Any]) -> str:
        lines = [" ".join([word, *(quote(v, safe="") for v in values)]) for word, *values in flat(request)]
        return "\n".join([*lines, f"do {request['op']}", ""])


def flat(request: dict[str, Any]) -> list[tuple[str, ...]]:
    """A request as the calls that a C program makes."""
    out: list[tuple[str, ...]] = []
    for key, value in request.get("options", {}).items():
        out.append(("option", key, json.dumps(value)))
    call = request.get("call", {})
    out.extend(("call", key, str(value)) for key, value in call.items())
    for name in ("method", "redirect_uri", "saved", "callback", "send_to", "text", "from"):
        if isinstance(request.get(name), str):
            out.append(("with", name, request[name]))
    if request.get("force"):
        out.append(("with", "force", "1"))
    messages = request.get("messages") or ([request["message"]] if "message" in request else [])
    for message in messages * int(request.get("repeat", 1)):
        out.append(("message",))
        out.extend(_fields(message, request.get("blobs", [])))
    if "raw" in request:
        out.append(("message",))
        out.append(("raw", base64.b64decode(request["raw"]).decode("latin-1")))
        out.extend(_envelope(request.get("envelope")))
        if request.get("tag"):
            out.append(("set", "tag", request["tag"]))
    return out


def _fields(message: dict[str, Any], blobs: list[str]) -> list[tuple[str, ...]]:
    out: list[tuple[str, ...]] = []
    for key, value in message.items():
        if key == "headers":
            for name, values in value.items():
                out.extend(("header", name, v) for v in (values if isinstance(values, list) else [values]))
        elif key == "attachments":
            for item in value:
                item = {"path": item} if isinstance(item, str) else item
                names = (item.get("filename", ""), item.get("content_type", ""), item.get("content_id", ""))
                if "path" in item:
                    out.append(("attach_file", item["path"], *names[:2]))
                else:
                    data = base64.b64decode(blobs[item["blob"]]) if "blob" in item else item["content"].encode()
                    out.append(("attach_bytes", data.decode("latin-1"), *names))
        elif key == "envelope":
            out.extend(_envelope(value))
        elif isinstance(value, dict):
            for name, inner in value.items():
                many = inner if isinstance(inner, list) else [inner]
                word = "add" if isinstance(inner, list) else "set"
                out.extend((word, f"{key}.{name}", _text(item)) for item in many)
        elif isinstance(value, list):
            out.extend(("add", key, _text(item)) for item in value)
        else:
            out.append(("set", key, _text(value)))
    return out


def _envelope(envelope: dict[str, Any] | None) -> list[tuple[str, ...]]:
    if envelope is None:
        return []
    recipients = [("add", "envelope.rcpt_to", address) for address in envelope["rcpt_to"]]
    return [("set", "envelope.mail_from", envelope["mail_from"]), *recipients]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return f'"{value["name"]}" <{value["address"]}>' if value.get("name") else str(value["address"])
    return str(value).lower() if isinstance(value, bool) else str(value)


class CommandLine:
    """The `mailbearer` program: a configuration file and a run for each request."""

    name = "cli"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options: dict[str, Any] = {}

    def can(self, op: str) -> bool:
        return op in ("open", "send", "send_many", "send_raw", "token", "import", "verify", "explain", "close")

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        if "options" in request:
            self.options = request["options"]
        handler = getattr(self, f"_{request['op']}")
        answer: dict[str, Any] = handler(request)
        return answer

    def close(self) -> None:
        pass

    def _run(self, *arguments: str, stdin: bytes = b"", json: bool = True) -> tuple[int, bytes, bytes]:
        config = self.folder / "config.toml"
        config.write_text(toml(self.options), encoding="utf-8")
        config.chmod(0o600)
        command = [BINARY, "--config", config, "--trace", *(["--json"] if json else []), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=WAIT, env=self._environment())
        with printed(self.name) as file:
            file.write(done.stderr)
        return done.returncode, done.stdout, done.stderr

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MAILBEARER_")}
        # TOML has no null: a limit of none comes by the environment, where it has a name.
        limits = self.options.get("limits", {})
        none = {f"MAILBEARER_LIMITS__{name.upper()}": "null" for name, value in limits.items() if value is None}
        return {**kept, **none, "XDG_STATE_HOME": str(self.folder / "state")}

    def _open(self, request: dict[str, Any]) -> dict[str, Any]:
        # A run checks the options before anything else; asking for the token's status needs no network.
        return self._answer(*self._run("token", "--status"), wrap=lambda _: {})

    def _close(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"ok": {}}

    def _token(self, request: dict[str, Any]) -> dict[str, Any]:
        force = ["--force"] if request.get("force") else []
        return self._answer(
            *self._run("token", "--format", "json", *force),
            wrap=lambda found: {**found, "secret": found["access_token"]},
        )

    def _import(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._answer(*self._run("login", "--import", "-", stdin=request["text"].encode()))

    def _explain(self, request: dict[str, Any]) -> dict[str, Any]:
        _, out, _ = self._run("explain", stdin=request["text"].encode())
        return {"ok": {"explanations": json.loads(out)}}

    def _verify(self, request: dict[str, Any]) -> dict[str, Any]:
        to = ["--send-to", request["send_to"]] if request.get("send_to") else []
        code, out, err = self._run("verify", *to, json=False)
        # Its report goes to stdout however it ended: what failed is in it.
        return {"ok": {"ok": code == 0, "text": out.decode()}} if out else self._answer(code, out, err)

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = self._send_many({**request, "messages": [request["message"]]})
        if "error" in answer and not answer.get("ok", {}).get("results"):
            return answer
        result = answer["ok"]["results"][0]
        return {"ok": result["receipt"]} if result["receipt"] else {"error": result["error"]}

    def _send_many(self, request: dict[str, Any]) -> dict[str, Any]:
        messages = [_with_content(m, request.get("blobs", [])) for m in request["messages"]]
        lines = "".join(json.dumps(m) + "\n" for m in messages * int(request.get("repeat", 1)))
        results = self.folder / "results.jsonl"
        results.unlink(missing_ok=True)
        call = request.get("call", {})
        flags = [f for key in ("timeout", "partial") if key in call for f in (f"--{key}", str(call[key]))]
        _, _, stderr = self._run(
            "send", "--from-jsonl", "-", "--results", str(results), "--files", "allow", *flags, stdin=lines.encode()
        )
        found = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        fatal = _last_json(stderr)
        return {"ok": {"results": found}, **({"error": fatal} if fatal else {})}

    def _send_raw(self, request: dict[str, Any]) -> dict[str, Any]:
        envelope = request.get("envelope")
        if envelope:
            arguments = ["-i", "-f", envelope["mail_from"], "--", *envelope["rcpt_to"]]
        else:
            arguments = ["-i", "-t"]
        return self._answer(*self._run("sendmail", *arguments, stdin=base64.b64decode(request["raw"])))

    def _answer(self, code: int, out: bytes, err: bytes, wrap: Any = lambda found: found) -> dict[str, Any]:
        if code in (0, 67) and out.strip():
            return {"ok": wrap(json.loads(out))}
        if code == 0:
            return {"ok": wrap({})}
        error = _last_json(err)
        assert error is not None, f"exit code {code} without an error: {err!r} {out!r}"
        return {"error": error}


def _with_content(message: dict[str, Any], blobs: list[str]) -> dict[str, Any]:
    """The command line reads text content only: bytes go through a case's own files."""
    items = [
        {**{k: v for k, v in i.items() if k != "blob"}, "content": base64.b64decode(blobs[i["blob"]]).decode()}
        if isinstance(i, dict) and "blob" in i
        else i
        for i in message.get("attachments", [])
    ]
    return {**message, "attachments": items} if items else message


def _last_json(text: bytes) -> dict[str, Any] | None:
    for line in reversed(text.decode().splitlines()):
        found: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        # Events are told there too.
        if found and "event" not in found:
            return found
    return None


def toml(table: dict[str, Any], path: str = "") -> str:
    """Just enough TOML for options: scalars, lists and nested tables. TOML's strings are JSON's here."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) and v is not None}
    nested = {k: v for k, v in table.items() if isinstance(v, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    text = "\n".join(lines) + "\n"
    for key, value in nested.items():
        name = f"{path}{key}"
        text += f"\n[{name}]\n" + toml(value, f"{name}.")
    return text


def start(name: str, folder: Path) -> Face:
    """The face of this name, ready for requests."""
    python = os.environ.get("CONFORMANCE_PYTHON", sys.executable)
    match name:
        case "rust":
            return Shim(name, [TARGET / "examples" / "conformance_shim"])
        case "python":
            return Shim(name, [python, SHIMS / "python_sync.py"])
        case "python-async":
            return Shim(name, [python, SHIMS / "python_async.py"])
        case "node":
            return Shim(name, ["node", SHIMS / "node.mjs"])
        case "c":
            return FlatShim(name, [ROOT / "build" / "conformance-c"])
        case "cli":
            return CommandLine(folder)
    raise AssertionError(f"no face {name}")


# Nobody's keyring is asked: the faces see a machine without one.
os.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"
FACES = os.environ.get("CONFORMANCE_FACES", "rust python python-async node c cli").split()
WAIT = 60
PRINTED = Path(tempfile.mkdtemp(prefix="mailbearer-printed-"))
atexit.register(shutil.rmtree, PRINTED, ignore_errors=True)
