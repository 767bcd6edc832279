"""How options cross into core: as plain data, with the program's own functions beside them."""

from __future__ import annotations

from . import _native, errors
from ._host import Host
from ._values import duration, is_mapping, mailbox, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    Native = TypeVar("Native")


class Given:
    """A caller's options on their way into core.

    Programs that report errors send the local variables of every frame along (Sentry does). So the
    options stand in this box, and a frame of ours that may raise has only the box.
    """

    __slots__ = ("_options",)

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options: Mapping[str, Any] | None = options

    def open(self, make: Callable[[dict[str, Any], Host], Native]) -> tuple[Native, Host]:
        """What `make` makes of the options, and the functions among them."""
        options, self._options = self._options, None
        plain_options: Any = None
        try:
            plain_options, host = split(options or {})
            return make(plain_options, host), host
        except BaseException as error:
            # The frames below go too: theirs are the same values.
            failure = error.with_traceback(None)
        finally:
            options = plain_options = None
        try:
            raise failure
        finally:
            del failure  # A cycle of frame and exception would keep both.


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
    given = {name: _option(value, name) for name, value in rest.items() if name != "from"}
    if rest.get("from") is not None:
        given["from"] = mailbox(rest["from"], "from", errors.config)
    return given, Host(callback, store, on_event)


def _option(value: Any, path: str) -> Any:
    if is_mapping(value):
        return plain({key: _option(item, f"{path}.{key}") for key, item in value.items()}, path, errors.config)
    # A bare number means seconds: Python's own way; files and other languages need a unit.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _native.is_duration(path):
        return duration(value)
    return plain(value, path, errors.config)


def _function(value: Any, field: str) -> Any:
    if value is None or callable(value):
        return value
    raise errors.config(field, f"`{field}` must be a function")
