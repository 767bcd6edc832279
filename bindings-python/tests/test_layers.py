"""The rooms of the package stand on floors: a module uses modules below it and no other, in imports for
types and imports inside functions too. The same for the native half."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import mailbearer

#: From the bottom up; modules of one line do not use each other.
FLOORS = [
    "words",
    "_native",
    "_record",
    "events explanation reply report",
    "errors",
    "access_token attachment receipt",
    "options",
    "_email _green _open_file _values",
    "_host message",
    "_call _options",
    "adapters login",
    "tokens",
    "_mailer",
    "bulk",
    "aio mailer",
    "django testing",
    "pytest_plugin",
    "__init__ __main__",
]

NATIVE_FLOORS = [
    "value",
    "error events load",
    "call",
    "job message",
    "bulk host login",
    "tokens",
    "emulator mailer",
    "lib",
]


def arrows_up(floors: list[str], uses: dict[str, set[str]]) -> list[str]:
    height = {name: floor for floor, names in enumerate(floors) for name in names.split()}
    assert set(height) == set(uses), "a module has no floor, or a floor has no module"
    return [f"{one} uses {other}" for one in uses for other in uses[one] if height[other] >= height[one]]


def test_python_modules_use_what_is_below_them() -> None:
    package = Path(mailbearer.__file__).parent
    files = [*package.glob("*.py"), package / "_native.pyi"]
    assert arrows_up(FLOORS, {file.stem: _imports(file) for file in files}) == []


def test_rust_modules_use_what_is_below_them() -> None:
    source = Path(__file__).parents[1] / "src"
    uses = {file.stem: set(re.findall(r"\bcrate::(\w+)::", file.read_text())) for file in source.glob("*.rs")}
    uses["lib"] |= set(uses) - {"lib"}
    assert arrows_up(NATIVE_FLOORS, uses) == []


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
    return found
