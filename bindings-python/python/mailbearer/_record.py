"""Frozen data: compared by value, picklable, printable. Without `dataclasses`, whose import takes
longer than all of ours."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    import datetime as dt
    from collections.abc import Mapping

    from typing_extensions import Self


class Record:
    """Base of the data that calls return. Subclasses name their fields in ``__slots__``."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, **values: Any) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, values.pop(name))
        if values:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(values)}")

    @classmethod
    def from_core(cls, data: Mapping[str, Any]) -> Self:
        """From core's data; keys of a newer core are left out."""
        return cls(**{name: data[name] for name in cls.__slots__})

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data that `json.dumps` takes: lists, and instants as RFC 3339 text."""
        return {name.lstrip("_"): plain(getattr(self, name)) for name in self.__slots__}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        # Equal records agree in their first field; others may hold what cannot be hashed.
        return hash((type(self).__name__, getattr(self, self.__slots__[0])))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__ if name[0] != "_")
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), tuple(getattr(self, name) for name in self.__slots__))


def plain(value: Any) -> Any:
    """Records, tuples and instants as `json.dumps` takes them."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value


def instant(text: str) -> dt.datetime:
    """RFC 3339 as core writes it: in UTC, with any number of digits behind the second."""
    import datetime as dt

    whole, _, fraction = text.removesuffix("Z").partition(".")
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    return dt.datetime.fromisoformat(whole).replace(microsecond=micros, tzinfo=dt.timezone.utc)


def epoch(seconds: float) -> dt.datetime:
    """Seconds since the epoch as an instant in UTC."""
    import datetime as dt

    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc)


def _restore(cls: type[Record], values: tuple[Any, ...]) -> Record:
    made = cls.__new__(cls)
    for name, value in zip(cls.__slots__, values):
        object.__setattr__(made, name, value)
    return made
