"""What the tests share: a server that never answers, and programs run apart."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listening socket: whoever connects waits for a greeting that never comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


@pytest.fixture
def silent_options(silent: socket.socket) -> dict[str, Any]:
    """A mailer's options for `silent`."""
    return {
        "provider": "custom",
        "username": "noreply@contoso.com",
        "auth": {"grant": "access_token", "access_token": "not-a-real-token"},
        "smtp": {
            "host": "127.0.0.1",
            "port": silent.getsockname()[1],
            "security": "starttls",
            "timeouts": {"greeting": 60},
        },
        "retry": {"attempts": 1},
    }


@pytest.fixture
def program() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python program given as text; its output is read by the test."""
    started: list[subprocess.Popen[str]] = []

    def start(text: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", text, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
