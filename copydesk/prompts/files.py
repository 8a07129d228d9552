"""The prompt files: one TOML per kind and language, read once, refused when incomplete."""

import hashlib
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from copydesk.errors import ConfigurationError

FOLDER = Path(__file__).parent

Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Example(_Part):
    """A worked example: facts as (name, value) and the copy written from them."""

    facts: tuple[tuple[str, str], ...]
    answer: Text


class PromptFile(_Part):
    """One prompt file. `$facts` and `$voice` are filled in; every other character is sent as it stands.

    Attributes:
        version: raised by whoever changes what the prompt asks for.
        system: the system turn.
        template: the user turn, with `$facts` and `$voice`.
        plain: the prompt of a model without a chat template, with `$facts`, the voice after them.
        voice: the line that carries the shop's voice, with `$voice`; left out when the shop has none.
        echoes: phrases of the example and of the instructions that must not turn up in the copy.
        names: what facts are called in this language, where it is not what the catalog calls them.
        omit: facts that are left out, the shop's own filing.
        examples: worked examples; those most like the product are sent as turns before it.
    """

    version: Annotated[int, Field(ge=1)]
    system: Text
    template: Text
    plain: Text
    voice: Text
    echoes: tuple[Text, ...]
    names: dict[str, str] = {}
    omit: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


def languages(kind: str) -> tuple[str, ...]:
    """The languages this kind of copy has a prompt for, sorted; empty for an unknown kind."""
    return tuple(sorted(path.name.split(".")[1] for path in FOLDER.glob(f"{kind}.*.toml")))


def version(kind: str, language: str) -> str:
    """The prompt's name as drafts record it, such as `description/en@1`.

    Raises:
        ConfigurationError: there is no such prompt.
    """
    return f"{kind}/{language}@{load(kind, language).version}"


@lru_cache
def digest(kind: str, language: str) -> str:
    """SHA-256 of the prompt file, so that an edit nobody raised the version for counts as a change too.

    Raises:
        ConfigurationError: there is no such prompt.
    """
    return hashlib.sha256(_path(kind, language).read_bytes()).hexdigest()


@lru_cache
def load(kind: str, language: str) -> PromptFile:
    """The prompt file of a kind and language.

    Raises:
        ConfigurationError: there is none, or it is not a valid prompt file.
    """
    path = _path(kind, language)
    try:
        return PromptFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(f"{path} is not a valid prompt file, mend it: {error}") from error


def _path(kind: str, language: str) -> Path:
    known = languages(kind)
    # Compared with the listing, not joined blindly: a language comes from a catalog file.
    if language in known:
        return FOLDER / f"{kind}.{language}.toml"
    if known:
        raise ConfigurationError(f"no {kind} prompt for language {language!r}: there are {', '.join(known)}")
    raise ConfigurationError(f"no prompt for copy of the kind {kind!r}")
