"""Layers of rules become one set, and each value remembers where it comes from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from copydesk.model import REPLY, is_chinese
from copydesk.rulesets.files import Ruleset
from copydesk.rulesets.learning import voice_of
from copydesk.rulesets.model import FORM, Part, RulesetFile, preset
from copydesk.settings import Rules

DEFAULT = ("default",)


@dataclass(frozen=True, slots=True)
class Layer:
    """Some rules by name, and who says so. `special` ones are set for just this kind of copy."""

    source: str
    values: Mapping[str, Any]
    special: bool = False


@dataclass(frozen=True, slots=True)
class Effective:
    """The rules that count, and for each where it comes from; a list of words may come from several places."""

    rules: Rules
    sources: Mapping[str, tuple[str, ...]]


def merge(
    kind: str, language: str, *, base: Sequence[Layer] = (), own: Mapping[str, Any] = {}, files: Sequence[Ruleset] = ()
) -> Effective:
    """Rules of a kind of copy in a language: `base`, over it the kind's `own`, the channel's preset, and the files.

    Single values replace, lists of words add up, and severities replace one by one. Lengths that the kind has of its
    own are replaced only where they are set for this kind. What comes out may contradict itself: `contradictions`.
    """
    of_files = [layer for file in files for layer in _layers(file.content, file.name, kind, language)]
    below = [*base, Layer(f"the prompt of {kind}", own, special=True)]
    channel = next((one.values["channel"] for one in reversed([*below, *of_files]) if "channel" in one.values), "")
    layers = [*below, *_layers(preset(channel), f"channel {channel}", kind, language), *of_files]
    return _merged(layers, keep=FORM & own.keys())


def _layers(content: RulesetFile, name: str, kind: str, language: str) -> Iterable[Layer]:
    # What a file says of products' copy is not meant for a reply: that has its own table's rules only.
    for table, part, special in content.tables(kind, language):
        if special or kind != REPLY:
            yield from _of_table(f"{name} [{table}]" if table else name, part, language, special)


def _of_table(source: str, part: Part, language: str, special: bool) -> Iterable[Layer]:
    """What a table says, over the voice of its samples."""
    if voice := voice_of(part.samples, language):
        yield Layer(f"the samples of {source}", {"voice": voice}, special)
    yield Layer(source, part.said(), special)


def _merged(layers: Iterable[Layer], keep: frozenset[str]) -> Effective:
    values: dict[str, Any] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for layer in layers:
        for name, value in layer.values.items():
            if name in keep and not layer.special:
                continue
            adds = isinstance(value, tuple | dict) and name in values
            values[name] = _added(values[name], value) if adds else value
            sources[name] = (*sources[name], layer.source) if adds else (layer.source,)
    return Effective(Rules(**values), {name: sources.get(name, DEFAULT) for name in Rules.model_fields})


def _added(before: Any, value: Any) -> Any:
    return {**before, **value} if isinstance(value, dict) else tuple(dict.fromkeys((*before, *value)))


def contradictions(found: Effective, kind: str, language: str) -> list[str]:
    """What no text can keep: a line for each, naming where both sides come from."""
    return [*_crossed(found, kind, language), *_required_and_forbidden(found)]


def _crossed(found: Effective, kind: str, language: str) -> Iterable[str]:
    if kind == REPLY:  # of its lengths only the longest count
        return
    lengths = ("min_chars_zh", "max_chars_zh") if is_chinese(language) else ("min_words", "max_words")
    for low, high in (lengths, ("min_bullets", "max_bullets")):
        least, most = getattr(found.rules, low), getattr(found.rules, high)
        if least is not None and most is not None and least > most:
            yield f"{low} = {least} ({_from(found, low)}) is over {high} = {most} ({_from(found, high)}): set both"


def _required_and_forbidden(found: Effective) -> Iterable[str]:
    forbidden = {spelling for word in found.rules.forbidden for spelling in spellings(word)}
    for word in found.rules.required:
        if forbidden.issuperset(spellings(word)):
            yield (
                f'"{word}" is required ({_from(found, "required")}) and forbidden ({_from(found, "forbidden")}):'
                " take it out of one list"
            )


def _from(found: Effective, name: str) -> str:
    return ", ".join(found.sources[name])


def spellings(word: str) -> list[str]:
    """The spellings of one word as they are compared."""
    return [" ".join(spelling.casefold().split()) for spelling in word.split(" | ")]
