"""What every recipe of a judged text holds. A recipe is stored with its run, so that a run is of one piece."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from copydesk import guards, prompts, rulesets
from copydesk.errors import ConfigurationError
from copydesk.model import DESCRIPTION, REPLY, fingerprint
from copydesk.settings import Rules, Sampling, Settings

ANY_LANGUAGE = ""
"""Where the rules of runs are that were planned when there was one set for all languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the kinds of work whose texts are judged have in common; `rules` by language, `voice` the shop's own."""

    engine: str
    model: str
    sampling: Sampling
    max_asks: int
    name_reasons: str = "never"
    rules: Mapping[str, Rules]
    voice: str

    def rules_in(self, language: str) -> Rules:
        """The rules of texts in a language.

        Raises:
            ConfigurationError: the run was planned without this language.
        """
        found = self.rules.get(language) or self.rules.get(ANY_LANGUAGE)
        if found is None:
            raise ConfigurationError(f"the run was planned without rules for language {language!r}: plan it again")
        return found

    def voice_in(self, language: str) -> str:
        """How texts in a language are to sound: as the rules say, else as the shop does; a tone is said with it."""
        rules = self.rules_in(language)
        return prompts.voice(rules.voice or self.voice, rules.tone, language)

    def as_json(self) -> dict[str, Any]:
        rules = {language: one.model_dump(mode="json") for language, one in self.rules.items()}
        own = {"sampling": self.sampling.model_dump(), "rules": rules}
        return {one.name: own.get(one.name, getattr(self, one.name)) for one in fields(self)}

    def hash_with(self, *digests: str) -> str:
        """The fingerprint of the recipe and the digests of what else decides a text: rules and prompt."""
        rest = {name: value for name, value in self.as_json().items() if name not in ("rules", "prompt_files")}
        return fingerprint([rest, *digests, *self.told()])

    def told(self) -> list[str]:
        """The digest of what a model is told whose text was refused; none where it is told nothing."""
        return [] if self.name_reasons == "never" else [prompts.again_digest()]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "sampling": Sampling(**data["sampling"]), "rules": _by_language(data["rules"])})


def _by_language(stored: Mapping[str, Any]) -> dict[str, Rules]:
    by_language = all(isinstance(value, Mapping) for value in stored.values())
    return {language: Rules(**one) for language, one in (stored if by_language else {ANY_LANGUAGE: stored}).items()}


def rules_for(settings: Settings, shop: str, kind: str, language: str) -> Rules:
    """What counts for a kind of copy in a language: the settings, over them the prompt's own and the shop's files.

    Raises:
        ConfigurationError: a ruleset file is wrong, or the rules contradict themselves.
    """
    return effective_rules(settings, shop, kind, language).rules


def effective_rules(settings: Settings, shop: str, kind: str, language: str) -> rulesets.Effective:
    """The rules of `rules_for`, and where each comes from. Raises as it does."""
    known, own = known_names(settings), settings.shop(shop)
    if wrong := list(rulesets.unknown_names(settings.rules, known)):
        raise ConfigurationError("\n".join(["[rules] in copydesk.toml:", *rulesets.indented(wrong)]))
    voice = rulesets.Layer(f"copydesk.toml [shops.{shop}]", {"voice": own.voice} if own.voice else {})
    found = _merged(settings, kind, language, [rulesets.load(path, known) for path in own.rules], voice)
    if wrong := rulesets.contradictions(found, kind, language):
        whose = f"the rules of {kind} in {language} contradict themselves:"
        raise ConfigurationError("\n".join([whose, *rulesets.indented(wrong)]))
    return found


def what_is_wrong(settings: Settings, file: Path, facts: Collection[str] | None = None) -> list[str]:
    """Everything that is wrong with a ruleset file, contradictions of the kinds that it speaks of among it.

    Args:
        settings: for their rules, which the file's go over.
        file: the ruleset file.
        facts: names of the facts that products have; None for not known.
    """
    known = replace(known_names(settings), facts=facts)
    if wrong := rulesets.check(file, known):
        return wrong
    ruleset = rulesets.load(file, known)
    lines = (
        line
        for kind in (DESCRIPTION, *ruleset.content.kinds)
        for language in prompts.languages(kind, settings.prompts_dir)
        for line in rulesets.contradictions(_merged(settings, kind, language, [ruleset]), kind, language)
    )
    return list(dict.fromkeys(lines))


def _merged(
    settings: Settings, kind: str, language: str, files: Sequence[rulesets.Ruleset], *more: rulesets.Layer
) -> rulesets.Effective:
    # What is required of copy is not required of every reply to a review.
    said = settings.rules.model_dump(exclude_defaults=True, exclude={"required"} if kind == REPLY else None)
    return rulesets.merge(
        kind,
        language,
        base=[rulesets.Layer("copydesk.toml [rules]", said), *more],
        own=prompts.rules(kind, language, settings.prompts_dir).model_dump(exclude_unset=True),
        files=files,
    )


def known_names(settings: Settings) -> rulesets.Known:
    """The kinds, languages and guards that ruleset files may name."""
    kinds = (*prompts.kinds(settings.prompts_dir), REPLY)
    spoken = {language for kind in kinds for language in prompts.languages(kind, settings.prompts_dir)}
    return rulesets.Known(kinds, sorted(spoken), guards.CODES)
