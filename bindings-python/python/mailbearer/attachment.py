"""A file beside the text of a message."""

from __future__ import annotations

import os

from . import errors
from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


class Attachment(Record):
    """A file or octets beside the text.

    A path is read when the message is sent. An open file, or whatever has a ``read(n)`` that gives bytes, is
    read once, from where it stands, when the server wants the message: a send that fails after that is not
    repeated, and such a message cannot be pickled. `size` is how many octets it has: a server with a limit
    is told ahead, and a file with more or fewer is not delivered. `content_id` makes it part of the HTML,
    which refers to it as ``cid:…``. `size` is for open files only.
    """

    __slots__ = ("source", "filename", "content_type", "content_id", "size")
    #: A path, the octets, or an open file.
    source: str | bytes | BinaryIO
    filename: str | None
    content_type: str | None
    content_id: str | None
    size: int | None

    def __init__(
        self,
        source: str | Path | bytes | BinaryIO,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        content_id: str | None = None,
        size: int | None = None,
    ) -> None:
        taken: str | bytes | BinaryIO
        if isinstance(source, (bytes, bytearray, memoryview)):
            taken = bytes(source)
        elif isinstance(source, (str, os.PathLike)):
            taken = os.fsdecode(source)
        elif hasattr(source, "read"):
            if hasattr(source, "encoding"):
                raise errors.invalid_message("attachments", "an attachment's file is opened as text", 'Open it with "rb".')
            taken = source
            name = getattr(source, "name", None)
            if filename is None and isinstance(name, str):
                filename = os.path.basename(name)
        else:
            raise TypeError(f"an attachment is a path, bytes or a binary file, not {type(source).__name__}")
        super().__init__(source=taken, filename=filename, content_type=content_type, content_id=content_id, size=size)

    def __repr__(self) -> str:
        shown = f"{len(self.source)} octets" if isinstance(self.source, bytes) else self.source
        return f"Attachment({shown!r}, filename={self.filename!r}, content_type={self.content_type!r})"
