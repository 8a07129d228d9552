"""A GGUF file in the form that a backend wants, made once and kept beside the original."""

import logging
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from copydesk.errors import ModelError

log = logging.getLogger(__name__)


def converted(gguf: Path, form: str, write: Callable[[Path], None]) -> Path:
    """The folder with a GGUF file's twin; where there is none yet, `write` fills it.

    `form` names what the twin depends on besides the file itself, such as a precision and a version.

    Raises:
        ModelError: the folder cannot be written.
    """
    stat = gguf.stat()
    target = gguf.parent / "converted" / f"{gguf.stem}-{stat.st_size}-{stat.st_mtime_ns}-{form}"
    if not target.is_dir():
        _make(gguf, target, write)
    return target


def _make(gguf: Path, target: Path, write: Callable[[Path], None]) -> None:
    """Write the twin under another name and rename it: a folder of that name is whole, whoever else converts it too."""
    scratch = target.with_name(f".{secrets.token_hex(4)}.tmp")
    log.info("converting %s once, to %s", gguf, target)
    try:
        scratch.mkdir(parents=True)
        write(scratch)
        scratch.rename(target)
    except OSError as error:
        if target.is_dir():  # another process was faster; its twin is as good
            return
        raise ModelError(
            f"{gguf} cannot be converted into {target} ({error}): make the folder writable and free up to "
            f"{gguf.stat().st_size * 8 // 1_000_000} MB, or set COPYDESK_MODEL to a checkpoint folder"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
