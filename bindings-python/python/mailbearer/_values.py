"""Python's own types as the plain data that core takes."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .options import Duration

    #: Makes the exception for a mistake: its field, what is wrong, and the cure.
    Mistake = Callable[..., Exception]


def mailbox(value: Any, field: str, mistake: Mistake) -> Any:
    """One mailbox."""
    if isinstance(value, str):
        return value
    if is_pair(value):
        name, address = value
        if "@" in name and name != address:
            # Two addresses in a tuple would send to the second alone.
            raise mistake(field, f"`{field}`: a tuple is (name, address)", "Give several mailboxes as a list.")
        return {"name": name or None, "address": address}
    if hasattr(value, "addr_spec"):
        return {"name": value.display_name or None, "address": value.addr_spec}
    if is_mapping(value):
        return dict(value)
    raise mistake(
        field,
        f"`{field}`: a {type(value).__name__} is no mailbox",
        'Write "ada@example.com", ("Ada", "ada@example.com") or an email.headerregistry.Address.',
    )


def duration(value: Duration | None) -> str | None:
    """A duration: text with a unit."""
    if value is None or isinstance(value, str):
        return value
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a duration is seconds, a timedelta or text, not {type(value).__name__}")
    return f"{value:.6f}s"


def plain(value: Any, path: str, mistake: Mistake) -> Any:
    """Whatever an option or a field may hold, `path` being its name."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if is_mapping(value):
        return {_key(key, path, mistake): plain(item, f"{path}.{key}", mistake) for key, item in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return _text(value, path, mistake)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if hasattr(value, "total_seconds"):
        return duration(value)
    if hasattr(value, "isoformat"):
        # Core refuses one without an offset.
        return value.isoformat()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, path, mistake) for item in value]
    raise mistake(path, f"`{path}`: a {type(value).__name__} is no value for it")


def is_mapping(value: Any) -> bool:
    """Whether it is a dictionary or the like."""
    return hasattr(value, "keys") and hasattr(value, "__getitem__")


def is_pair(value: Any) -> bool:
    """Whether it is a tuple of a name and an address."""
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value)


def _key(key: Any, path: str, mistake: Mistake) -> str:
    if isinstance(key, str):
        return key
    raise mistake(path, f"`{path}`: the name of an option is text, not {type(key).__name__}")


def _text(value: bytes | bytearray, path: str, mistake: Mistake) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        pass
    raise mistake(path, f"`{path}`: the octets are not UTF-8", "Decode them first, and give text.")
