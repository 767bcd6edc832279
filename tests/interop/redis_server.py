"""A real Redis on loopback, with a password, that can be stopped and started again with nothing kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

from servers import free_port, until

PASSWORD = "only-for-tests"


class Redis:
    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/1"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                "--dir", str(self.folder), "--requirepass", PASSWORD, "--daemonize", "no",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: self.ask("PING") == "PONG", "Redis to answer")

    def ask(self, *words: str) -> str:
        command = ["redis-cli", "-p", str(self.port), "-a", PASSWORD, "--no-auth-warning", "-n", "1", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()

    def uptime(self) -> int:
        return int(self.ask("INFO", "server").partition("uptime_in_seconds:")[2].split()[0])

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self) -> None:
        self.stop()
