"""The emulator as a process of its own, spoken to over its control interface."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any


class Emulator:
    """One running emulator; it ends when its stdin closes."""

    def __init__(self, binary: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [binary, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the emulator did not start"
        self.about: dict[str, Any] = json.loads(line)
        self.url: str = self.about["url"].rstrip("/")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)

    def get(self, path: str, **query: str) -> Any:
        tail = "?" + urllib.parse.urlencode(query) if query else ""
        with urllib.request.urlopen(f"{self.url}/api/{path}{tail}", timeout=10) as answer:
            return json.load(answer)

    def raw(self, index: int) -> bytes:
        with urllib.request.urlopen(f"{self.url}/api/messages/{index}/raw", timeout=10) as answer:
            data: bytes = answer.read()
            return data

    def post(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def clear(self) -> None:
        request = urllib.request.Request(f"{self.url}/api/messages", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()

    def settings(self, grant: str, username: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get("settings", grant=grant, username=username)
        return found

    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("seen")
        return found
