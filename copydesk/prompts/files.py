"""The prompt files: one TOML per kind and language, read once, refused when incomplete.

Ours lie in FOLDER. There may be a folder of a shop's own (the setting `prompts_dir`): its files are added to ours, and
one with the name of ours takes its place.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from copydesk.errors import ConfigurationError
from copydesk.model import NO_COPY, REPLY, Polarity
from copydesk.settings import Positive, Rules

FOLDER = Path(__file__).parent

_NAME = re.compile(r"(?P<kind>[a-z][a-z0-9_]*)\.(?P<language>[a-z]{2,3}(?:-[A-Za-z0-9]+)*)\.toml")

Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Example(_Part):
    """A worked example: facts as (name, value), or for a translation the text, and the copy written from them."""

    facts: tuple[tuple[str, str], ...] = ()
    text: str = ""
    answer: Text


class PromptFile(_Part):
    """One prompt file. `$facts` and `$voice` are filled in; every other character is sent as it stands.

    Attributes:
        name: how drafts record it, such as `description/en@1`; no file holds it, whoever reads one gives it.
        version: raised by whoever changes what the prompt asks for.
        system: the system turn.
        template: the user turn, with `$facts` and `$voice`.
        plain: the prompt of a model without a chat template, with `$facts`, the voice after them.
        voice: the line that carries the shop's voice, with `$voice`; left out when the shop has none.
        echoes: phrases of the example and of the instructions that must not turn up in the copy.
        names: what facts are called in this language, where it is not what the catalog calls them.
        omit: facts that are left out, the shop's own filing.
        examples: worked examples; those most like the product are sent as turns before it.
        summary: what the copy is for, in a line, for whoever chooses a kind.
        max_tokens: how long an answer may be, where that is longer than the settings say.
        cut_back: an answer whose end is refused may be cut back to the sentences before it.
        translates: the product's live description is put into the file's language, `$text` in the templates; nothing
            else may be said.
        rules: what the guards go by, where it differs from the settings; only what is set counts.
    """

    name: str = ""
    version: Annotated[int, Field(ge=1)]
    system: Text
    template: Text
    plain: Text
    voice: Text
    echoes: tuple[Text, ...]
    names: dict[str, str] = {}
    omit: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    summary: str = ""
    max_tokens: Positive | None = None
    cut_back: bool = False
    translates: bool = False
    rules: Rules = Rules()

    def as_json(self) -> dict[str, Any]:
        """What a run keeps of it. The rules are not among it: those of a run have the shop's in them."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"rules"})


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


def kinds(folder: Path | None = None) -> tuple[str, ...]:
    """Every kind of copy that there is a prompt for, sorted.

    Raises:
        ConfigurationError: the shop's folder is none, or a file in it has no name for a prompt.
    """
    found = {kind for kind, _ in _files(folder)}
    return tuple(sorted(found - set(NO_COPY)))


def languages(kind: str, folder: Path | None = None) -> tuple[str, ...]:
    """The languages this kind of copy has a prompt for, sorted; empty for an unknown kind. Raises as `kinds` does."""
    return tuple(sorted(language for other, language in _files(folder) if other == kind))


def version(kind: str, language: str) -> str:
    """The name of a prompt of ours as drafts record it, such as `description/en@1`.

    Raises:
        ConfigurationError: there is no such prompt.
    """
    return f"{REPLY}/{language}@{load_replies(language).version}" if kind == REPLY else load(kind, language).name


def digest(kind: str, language: str, folder: Path | None = None) -> str:
    """SHA-256 of the prompt file, so that an edit nobody raised the version for counts as a change too.

    Raises:
        ConfigurationError: there is no such prompt.
    """
    return hashlib.sha256(_path(kind, language, folder).read_bytes()).hexdigest()


def load(kind: str, language: str, folder: Path | None = None) -> PromptFile:
    """The prompt file of a kind and language.

    Raises:
        ConfigurationError: there is none, or it is not a valid prompt file.
    """
    path = _path(kind, language, folder)
    if path.parent == FOLDER:
        return _ours(path)
    file = _read(PromptFile, path)
    # Ours may have the same kind, language and version.
    return file.model_copy(update={"name": f"{kind}/{language}@{file.version}+{digest(kind, language, folder)[:8]}"})


def rules(kind: str, language: str, folder: Path | None = None) -> Rules:
    """The rules that the kind itself sets in this language, and no others; replies set none. Raises as `load` does."""
    return Rules() if kind == REPLY else load(kind, language, folder).rules


@lru_cache
def _ours(path: Path) -> PromptFile:
    kind, language, _ = path.name.split(".")
    file = _read(PromptFile, path)
    return file.model_copy(update={"name": f"{kind}/{language}@{file.version}"})


@lru_cache
def load_replies(language: str) -> ReplyFile:
    """The prompt file of replies in a language. Raises as `load` does."""
    return _read(ReplyFile, _path(REPLY, language))


def _read(form: type[_File], path: Path) -> _File:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if "name" in content:
            raise ValueError("leave `name` out, the file's own is taken")
        return form.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigurationError(f"{path} is not a valid prompt file, mend it: {wrong}") from error
    except (OSError, ValueError) as error:  # it cannot be read, is not UTF-8, or no TOML
        raise ConfigurationError(f"{path} is not a valid prompt file, mend it: {error}") from error


def _path(kind: str, language: str, folder: Path | None = None) -> Path:
    # Looked up, not joined blindly: a language comes from a catalog file.
    files = _files(folder)
    if (kind, language) in files:
        return files[kind, language]
    known = sorted(other for of, other in files if of == kind)
    if known:
        raise ConfigurationError(f"no {kind} prompt for language {language!r}: there are {', '.join(known)}")
    raise ConfigurationError(f"no prompt for copy of the kind {kind!r}: `copydesk kinds` lists them")


def _files(folder: Path | None) -> dict[tuple[str, str], Path]:
    """Where the prompt of each kind and language is."""
    return dict([*_named(FOLDER), *(_named(folder) if folder else ())])


def _named(folder: Path) -> Iterator[tuple[tuple[str, str], Path]]:
    if not folder.is_dir():
        raise ConfigurationError(f"prompts_dir is {folder}, which is not a folder: make it, or leave the setting out")
    for path in sorted(folder.glob("*.toml")):
        found = _NAME.fullmatch(path.name)
        if not found or (folder != FOLDER and found["kind"] in NO_COPY):
            raise ConfigurationError(
                f"{path} has no name for a prompt: write <kind>.<language>.toml, as in care_tips.en.toml"
            )
        yield (found["kind"], found["language"]), path
