"""Open files that a message reads while it is sent."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ReadOnce:
    """An open file that is read from where it stands, and not again unless somebody put it back."""

    __slots__ = ("file", "begun")

    def __init__(self, file: Any) -> None:
        self.file, self.begun = file, False

    def read(self, size: int) -> Any:
        if not self.begun:
            if _left.get(self.file, _NEVER) == _position(self.file):
                raise ValueError("it was read before: open it anew, or put it back with seek(0)")
            self.begun = True
        piece = self.file.read(size)
        _left[self.file] = _position(self.file)
        return piece


def _position(file: Any) -> Any:
    try:
        return file.tell()
    except (AttributeError, OSError, ValueError):
        return None


class _Left:
    """Where files were left when they were read last; those that cannot be remembered are not."""

    def __init__(self) -> None:
        self.weak: Any = None

    def get(self, file: Any, default: Any) -> Any:
        try:
            return default if self.weak is None else self.weak.get(file, default)
        except TypeError:
            return default

    def __setitem__(self, file: Any, position: Any) -> None:
        if self.weak is None:
            from weakref import WeakKeyDictionary

            self.weak = WeakKeyDictionary()
        try:
            self.weak[file] = position
        except TypeError:
            pass


_NEVER = object()
_left = _Left()
