"""Compares what a case expects with what was seen."""

from __future__ import annotations

from typing import Any


def differences(expected: Any, seen: Any, path: str = "") -> list[str]:
    """Every place where `seen` is not as expected; tables are compared as far as they are expected."""
    if isinstance(expected, str) and expected[:1] in "*~!#" and expected:
        return [] if _matches(expected, seen) else [f"{path}: expected {expected!r}, got {seen!r}"]
    if isinstance(expected, dict):
        if not isinstance(seen, dict):
            return [f"{path}: expected a table, got {seen!r}"]
        return [d for key, value in expected.items() for d in differences(value, seen.get(key), f"{path}.{key}")]
    if isinstance(expected, list):
        if not isinstance(seen, list) or len(seen) != len(expected):
            return [f"{path}: expected {expected!r}, got {seen!r}"]
        pairs = enumerate(zip(expected, seen, strict=True))
        return [d for at, (e, s) in pairs for d in differences(e, s, f"{path}[{at}]")]
    # TOML has no null: "" stands for it where the other side has none.
    if expected == seen or (expected == "" and seen is None):
        return []
    return [f"{path}: expected {expected!r}, got {seen!r}"]


def _matches(pattern: str, seen: Any) -> bool:
    if pattern == "*":
        return seen is not None and seen != ""
    if pattern.startswith("!~"):
        return pattern[2:].lower() not in str(seen).lower()
    if pattern.startswith("~"):
        return seen is not None and _in_order(pattern[1:].lower().split(" … "), str(seen).lower())
    if pattern.startswith("#"):
        return isinstance(seen, list) and len(seen) == int(pattern[1:])
    return bool(pattern == seen)


def _in_order(parts: list[str], text: str) -> bool:
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True
