"""How options cross into core: as plain data, with functions beside them."""

from __future__ import annotations

import os

from . import errors
from ._host import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .options import Duration


def split(options: Mapping[str, Any]) -> tuple[dict[str, Any], Host]:
    """Options as core takes them, and the functions among them."""
    rest = dict(options)
    on_event = _function(rest.pop("on_event", None), "on_event")
    callback = None
    if is_mapping(rest.get("auth")):
        auth = dict(rest["auth"])
        callback = _function(auth.pop("callback", None), "auth.callback")
        if callback is None and callable(auth.get("client_assertion")):
            prove = auth["client_assertion"]
            callback, auth["client_assertion"] = (lambda _: prove()), {"callback": True}
        rest["auth"] = auth
    store = rest.get("store")
    if hasattr(store, "load") and hasattr(store, "save"):
        del rest["store"]
    else:
        store = None
    if "from_" in rest:
        rest["from"] = rest.pop("from_")
    plain = {name: _plain(value, name) for name, value in rest.items() if name != "from"}
    if rest.get("from") is not None:
        plain["from"] = mailbox(rest["from"], "from", errors.config)
    return plain, Host(callback, store, on_event)


def mailbox(value: Any, field: str, mistake: Callable[..., Exception]) -> Any:
    """One mailbox as core takes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value):
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
    """A duration as core takes it: text with a unit."""
    if value is None or isinstance(value, str):
        return value
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a duration is seconds, a timedelta or text, not {type(value).__name__}")
    return f"{value:.6f}s"


def is_mapping(value: Any) -> bool:
    """Whether it is a dictionary or the like."""
    return hasattr(value, "keys") and hasattr(value, "__getitem__")


def _plain(value: Any, path: str) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, float)):
        return duration(value) if _is_duration(path) else value
    if is_mapping(value):
        return {_key(key, path): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if hasattr(value, "total_seconds"):
        return duration(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, path) for item in value]
    raise errors.config(path, f"`{path}`: a {type(value).__name__} is no value for an option")


def _key(key: Any, path: str) -> str:
    if isinstance(key, str):
        return key
    raise errors.config(path, f"`{path}`: the name of an option is text, not {type(key).__name__}")


def _is_duration(path: str) -> bool:
    parent, _, name = path.rpartition(".")
    return parent == "smtp.timeouts" or name in _DURATIONS


def _function(value: Any, field: str) -> Any:
    if value is None or callable(value):
        return value
    raise errors.config(field, f"`{field}` must be a function")


#: Options where a bare number means seconds: Python's own way; files and other languages need a unit.
_DURATIONS = {"timeout", "base_delay", "max_delay", "idle_timeout", "max_age"}
