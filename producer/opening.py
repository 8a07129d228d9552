"""Opening what most commands need."""

import getpass
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from copydesk import settings as copydesk_settings
from copydesk.errors import InputError
from copydesk.settings import Settings
from copydesk.store import Database


@contextmanager
def ledger() -> Iterator[tuple[Settings, Database]]:
    """The settings and the database; raises StoreUnavailable when it is away or not migrated."""
    settings = copydesk_settings.load()
    database = Database(settings.database)
    try:
        database.check()
        yield settings, database
    finally:
        database.close()


def who() -> str:
    """The person at the keyboard, as decisions record it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"


def words_of_a_person(text: str | None, file: Path | None, before: str) -> str:
    """What a person puts in the place of a text: given as it is, in a file, or in their editor. Raises InputError."""
    words = text if text is not None else read_words(file) if file else in_editor(before)
    return words.strip()


def read_words(file: Path) -> str:
    """A file that a person wrote a text into. Raises InputError unless it is UTF-8."""
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8: save it as UTF-8") from error


def in_editor(text: str) -> str:
    """The text as the person left it in $VISUAL or $EDITOR. Raises InputError when neither works."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise InputError("neither $VISUAL nor $EDITOR is set: give the new text with --text or --file")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "draft.txt"
        file.write_text(text, "utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(file)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise InputError(
                f"the editor {editor!r} failed ({error}): give the new text with --text or --file"
            ) from error
        return file.read_text("utf-8")
