"""Real proxies on loopback: tinyproxy (CONNECT) and microsocks (SOCKS5), each with a user and password."""

from __future__ import annotations

import subprocess
from pathlib import Path

from servers import NOBODY, free_port, is_open, until

USER, PASSWORD = "me", "pass.word"


class Proxy:
    def __init__(self, scheme: str, folder: Path) -> None:
        self.scheme, self.port = scheme, free_port()
        if scheme == "http":
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
            settings = folder / "tinyproxy.conf"
            settings.write_text(
                f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogFile \"{folder}/log\"\n"
                f"PidFile \"{folder}/pid\"\nAllow 127.0.0.1\nBasicAuth {USER} {PASSWORD}\n"
            )
            command = ["tinyproxy", "-d", "-c", str(settings)]
        else:
            command = ["microsocks", "-i", "127.0.0.1", "-p", str(self.port), "-u", USER, "-P", PASSWORD]
        self.process = subprocess.Popen(
            command, user=NOBODY, group=NOBODY, extra_groups=[], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: is_open(self.port), f"the {scheme} proxy to listen")

    def url(self, user: str = USER, password: str = PASSWORD) -> str:
        return f"{self.scheme}://{user}:{password}@127.0.0.1:{self.port}"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
