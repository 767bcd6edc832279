"""The types: mypy strict over the package and over programs as users write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_mypy_strict(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)], cwd=root, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout
