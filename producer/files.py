"""Files that people name: read with a clear word where they cannot be, written whole or not at all."""

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from copydesk.errors import InputError


@contextmanager
def whole(path: Path) -> Iterator[TextIO]:
    """A UTF-8 stream that becomes the file at the end, in one rename; nothing changes on any error. Raises OSError."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def output(path: Path) -> Iterator[TextIO]:
    """As `whole`, for a file that a person named. Raises InputError when it cannot be written."""
    try:
        with whole(path) as stream:
            yield stream
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): check the folder and its permissions"
        ) from error


@contextmanager
def readable(path: Path, file_format: str, formats: Collection[str], what: str) -> Iterator[None]:
    """Around the first look into a file, `what` it should be. Raises InputError when it is none, or cannot be read."""
    if file_format not in formats:
        raise InputError(f"unknown format {file_format!r}: use one of {', '.join(formats)}")
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"{path} {state}: name {what}")
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
