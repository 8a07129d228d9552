"""`copydesk batch`: an OpenAI Batch file in, a run, and the output file out."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from copydesk.errors import InputError
from copydesk.jobs import batch
from copydesk.model import Lane, fingerprint
from copydesk.settings import Settings
from copydesk.store import Database, batches, runs
from producer import batchfile
from producer.files import whole


@dataclass(frozen=True, slots=True)
class Written:
    """How many lines of the output file hold an answer, and how many an error."""

    answered: int
    failed: int


def check_paths(requests: Path, answers: Path) -> None:
    """Raises InputError before anything is asked, rather than when hours later the answers cannot be written."""
    if not requests.is_file():
        raise InputError(f"{requests} is not a file: name one with a chat request a line")
    if answers.exists() and (not answers.is_file() or answers.samefile(requests)):
        raise InputError(f"{answers} cannot be written over: name another file for the answers")
    if not os.access(answers.parent, os.W_OK):
        raise InputError(f"the folder of {answers} cannot be written: make it, or name another one")


def plan(
    database: Database, settings: Settings, requests: Path, lane: Lane, budget: runs.Budget = runs.NO_BUDGET
) -> runs.Planned:
    """The run that answers this file under these settings; made if there is none yet.

    Raises:
        InputError: the file cannot be read, or changes while it is.
    """
    with _opened(requests) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        run_key = fingerprint([digest, batch.recipe(settings)])[:32]
        return batch.plan(database, settings, run_key, _lines(stream, settings, digest, requests), lane, budget)


def write(database: Database, run: int, answers: Path) -> Written:
    """Write the answers of an ended run, whole or not at all. Raises InputError when they cannot be written."""
    answered = failed = 0
    try:
        with database.read() as connection, whole(answers) as stream:
            for answer in batches.answers(connection, run):
                stream.write(batchfile.line(run, answer) + "\n")
                answered += answer.error is None
                failed += answer.error is not None
    except OSError as error:
        raise InputError(
            f"{answers} cannot be written ({error.strerror}); nothing is lost: run the same command again"
        ) from error
    return Written(answered, failed)


@contextlib.contextmanager
def _opened(requests: Path) -> Iterator[io.BufferedReader]:
    try:
        with requests.open("rb") as stream:
            yield stream
    except OSError as error:
        raise InputError(f"{requests} cannot be read ({error.strerror}): check its permissions") from error


def _lines(stream: io.BufferedReader, settings: Settings, digest: str, requests: Path) -> Iterator[batches.Line]:
    read = hashlib.sha256()
    yield from batchfile.read(stream, settings, read.update)
    if read.hexdigest() != digest:
        raise InputError(f"{requests} changed while it was read: wait until it is written, and ask again")
