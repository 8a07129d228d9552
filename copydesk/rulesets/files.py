"""A ruleset file is read and checked; everything wrong with it is told at once, by key and with the remedy."""

import difflib
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from copydesk.errors import ConfigurationError
from copydesk.rulesets.model import CHANNELS, KindPart, Part, RulesetFile
from copydesk.rulesets.samples import SampleError, read_samples
from copydesk.settings import Rules

TOML, YAML = (".toml",), (".yaml", ".yml")

_REMEDIES = {
    "tuple_type": 'write a list, as in ["one", "two"]',
    "string_type": "write text in quotes",
    "string_pattern_mismatch": "holds no letter or digit",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "greater_than_equal": "write a number from 1",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "literal_error": 'write "hard", "warn" or "off"',
    "dict_type": "write a table",
    "model_type": "write a table",
}
"""What is wrong with a value, by pydantic's name of it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a file may name. `facts` None: what facts products have is not known here."""

    kinds: Collection[str]
    languages: Collection[str]
    guards: Collection[str]
    facts: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A file that can be used; `name` is what messages call it."""

    name: str
    content: RulesetFile


def load(path: Path, known: Known) -> Ruleset:
    """The ruleset of a file, its samples read.

    Raises:
        ConfigurationError: it cannot be read or is not a ruleset; a line for everything that is wrong.
    """
    content, wrong = _read(path, known)
    if content is None or wrong:
        raise ConfigurationError("\n".join([f"{path} is not a ruleset (docs/rules.md):", *indented(wrong)]))
    return Ruleset(str(path), content)


def check(path: Path, known: Known) -> list[str]:
    """Everything that is wrong with a file, each by its key and with the remedy."""
    return _read(path, known)[1]


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a message under its first one."""
    return (f"  {line}" for line in lines)


def _read(path: Path, known: Known) -> tuple[RulesetFile | None, list[str]]:
    try:
        parsed = _parsed(path)
    except (ConfigurationError, OSError) as error:
        return None, [str(error)]
    try:
        content = RulesetFile.model_validate(parsed)
    except ValidationError as error:
        faults = error.errors()
        return None, [*map(_told, faults), *_unknown(_without(parsed, [one["loc"] for one in faults]), known)]
    wrong = list(_unknown(content, known))
    try:
        return read_samples(content, path.parent), wrong
    except SampleError as error:
        return None, [*wrong, *error.lines]


def _without(parsed: Any, wrong: Iterable[Sequence[int | str]]) -> RulesetFile:
    """What is left of a file's content without the values of the wrong form."""
    rest = deepcopy(parsed)
    for keys in wrong:
        table = rest
        for key in keys:
            if not isinstance(table.get(key), dict) or key == keys[-1]:
                table.pop(key, None)
                break
            table = table[key]
    try:
        return RulesetFile.model_validate(rest)
    except ValidationError:  # the content is no table
        return RulesetFile()


def _parsed(path: Path) -> Any:
    """The file's content. Raises ConfigurationError, which says what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"is not UTF-8 at byte {error.start}: save it as UTF-8") from error
    if path.suffix in YAML:
        return _from_yaml(text)
    if path.suffix not in TOML:
        raise ConfigurationError("has no name for a ruleset: let it end in .toml, .yaml or .yml")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"is not TOML: {error}") from error


def _from_yaml(text: str) -> Any:
    from copydesk.rulesets.yaml import YamlError, parsed  # PyYAML is slow to import, and most files are TOML

    try:
        return parsed(text)
    except YamlError as error:
        raise ConfigurationError(f"is not YAML: {error}") from error


def _told(item: Mapping[str, Any]) -> str:
    key = ".".join(map(str, item["loc"])) or "the file"
    if item["type"] == "extra_forbidden":
        return f"{key}: there is no such rule{_meant(str(item['loc'][-1]), _keys(len(item['loc'])))}"
    return f"{key}: {_REMEDIES.get(item['type'], item['msg'])}, not {item['input']!r:.60}"


def _keys(depth: int) -> Collection[str]:
    """The keys that a table of this depth may have."""
    return {1: RulesetFile, 3: KindPart}.get(depth, Part).model_fields


def _unknown(content: RulesetFile, known: Known) -> Iterator[str]:
    """Names that the file uses and nobody knows."""
    for kind in content.kinds:
        if kind not in known.kinds:
            yield f"kinds.{kind}: there is no such kind of copy{_meant(kind, known.kinds)}"
    for table, part in content.all_tables():
        prefix = f"{table}." if table else ""
        for language in part.languages if isinstance(part, KindPart) else ():
            if language not in known.languages:
                yield f"{prefix}languages.{language}: there is no prompt in it{_meant(language, known.languages)}"
        yield from (f"{prefix}{line}" for line in unknown_names(part, known))


def unknown_names(part: Rules, known: Known) -> Iterator[str]:
    """Channels, guards and facts that rules name and nobody knows, each with the remedy."""
    if part.channel and part.channel not in CHANNELS:
        yield f'channel: there is no preset for "{part.channel}"{_meant(part.channel, CHANNELS)}'
    for code in part.guards:
        if code not in known.guards:
            yield f'guards: there is no guard "{code}"{_meant(code, known.guards)}'
    for fact in part.must_say if known.facts is not None else ():
        if fact.casefold() not in (one.casefold() for one in known.facts or ()):
            yield f'must_say: no product has a fact "{fact}"{_meant(fact, known.facts or ())}'


def _meant(name: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f', did you mean "{close[0]}"?' if close else f": there are {', '.join(sorted(names))}"
