"""The prompt files: one TOML per kind and language, read once, refused when incomplete."""

import hashlib
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from copydesk.errors import ConfigurationError
from copydesk.model import REPLY, Polarity

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


class ReplyExample(_Part):
    """A worked example: what a customer wrote, and the sentences between a reply's opening and its closing."""

    review: Text
    answer: Text


class Tone(_Part):
    """How reviews of one polarity are answered.

    Attributes:
        ask: the last line of the user turn: what to write.
        openings, closings: how replies begin and end, in turns. With more than 20 openings no two of the last 21
            replies begin alike.
        examples: worked examples, sent as turns before the review.
    """

    ask: Text
    openings: Annotated[tuple[Text, ...], Field(min_length=21)]
    closings: Annotated[tuple[Text, ...], Field(min_length=1)]
    examples: Annotated[tuple[ReplyExample, ...], Field(min_length=1)]


class ReplyFile(_Part):
    """The prompt file of replies in one language.

    Attributes:
        version: raised by whoever changes what the prompt asks for.
        system: the system turn.
        template: the user turn, with `$product`, `$review`, `$voice` and `$ask`.
        plain: one record, with `$review`, `$ask` and `$answer`, of the prompt of a model without a chat template.
        product: the line that names the product, with `$facts`; left out when it is unknown.
        voice: the line that carries the shop's voice, with `$voice`; left out when the shop has none.
        joint: what stands between the sentences of a reply.
        echoes: phrases of the examples and of the instructions that must not turn up in a reply.
        tones: how each polarity is answered.
    """

    version: Annotated[int, Field(ge=1)]
    system: Text
    template: Text
    plain: Text
    product: Text
    voice: Text
    joint: str
    echoes: tuple[Text, ...]
    tones: dict[Polarity, Tone]

    @field_validator("tones")
    @classmethod
    def _is_whole(cls, tones: dict[Polarity, Tone]) -> dict[Polarity, Tone]:
        if missing := [polarity.value for polarity in Polarity if polarity not in tones]:
            raise ValueError(f"write a tone for {', '.join(missing)}")
        return tones


_File = TypeVar("_File", PromptFile, ReplyFile)


def languages(kind: str) -> tuple[str, ...]:
    """The languages this kind of copy has a prompt for, sorted; empty for an unknown kind."""
    return tuple(sorted(path.name.split(".")[1] for path in FOLDER.glob(f"{kind}.*.toml")))


def version(kind: str, language: str) -> str:
    """The prompt's name as drafts record it, such as `description/en@1`.

    Raises:
        ConfigurationError: there is no such prompt.
    """
    file = load_replies(language) if kind == REPLY else load(kind, language)
    return f"{kind}/{language}@{file.version}"


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
    return _read(PromptFile, kind, language)


@lru_cache
def load_replies(language: str) -> ReplyFile:
    """The prompt file of replies in a language. Raises as `load` does."""
    return _read(ReplyFile, REPLY, language)


def _read(form: type[_File], kind: str, language: str) -> _File:
    path = _path(kind, language)
    try:
        return form.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
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
