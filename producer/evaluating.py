"""How good the texts of a run or a shop are, and how two runs compare on the products that both have.

Texts are judged as the model wrote them, before any person's edit, by today's guards and rules and by what may be said
of the product today. They are streamed: what is kept in memory is sums, and a sample for what looks at many at once.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from copydesk import guards, metrics, prompts
from copydesk.errors import InputError
from copydesk.guards.explain import coverage
from copydesk.jobs import copywriting, recipes
from copydesk.metrics import Interval, Paired, Sample
from copydesk.model import DESCRIPTION, TRANSLATION_MARK, Status, is_chinese
from copydesk.prompts.files import PromptFile
from copydesk.settings import Rules, Settings
from copydesk.store import Database, evaluating
from copydesk.store.evaluating import Chosen, Written
from copydesk.variety import Sieve, Text

SAMPLED = 1000
"""Texts that are compared with each other; more cost more, and are no more alike."""

NUMBERS, CLAIMS = "facts.numbers", "facts.claims"

RULE = "rule:"
"""How the name begins of what decided where no person did."""

PER_TEXT = (
    "unsupported_numbers", "unsupported_claims", "marked_claims", "rules_kept", "fact_coverage", "repetition", "words",
    "reading_ease", "characters_per_sentence",
)  # fmt: skip
"""Figures that each text has by itself; those of a shop or a run are their means."""

OF_ALL = ("distinct_1", "distinct_2", "self_bleu", "near_duplicates")
"""Figures that only several texts have together."""

Figures = Mapping[str, float | None]
"""By name; None where no text has such a figure."""


@dataclass(frozen=True, slots=True)
class People:
    """What people decided. `undone` were published and taken back; a decision by a rule is none.

    `acceptance` is the share approved of all decided, with its interval. Of those accepted `edited` were edited, by
    `edit_distance` on average (0 to 1).
    """

    decided: int
    accepted: int
    rejected: int
    undone: int
    edited: int
    acceptance: float | None
    acceptance_interval: Interval | None
    edit_distance: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one run, or the newest texts of a shop, come to.

    `figures` are of every text, `ready` of those that no guard held; `by` counts texts by (model, prompt), `held_for`
    held drafts by the code of a reason. `outdated` were written from facts that have changed since.
    """

    chosen: Chosen
    outcomes: Mapping[str, int]
    held_for: Mapping[str, int]
    by: Mapping[tuple[str, str], int]
    outdated: int
    texts: int
    ready_texts: int
    figures: Figures
    ready: Figures
    people: People

    @property
    def settled(self) -> int:
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """The first less the second; the interval is None where it would take more than one such run to know it."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of two that are compared: `ready` is the share of the common products that it has a ready text of."""

    chosen: Chosen
    by: Mapping[tuple[str, str], int]
    ready: float
    figures: Figures


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on the products that both settled; figures are of the `texts` products that both wrote something of.

    `settings` are those of the two recipes that differ: name, the first's, the second's.
    """

    one: Side
    other: Side
    products: int
    texts: int
    differences: Mapping[str, Difference]
    settings: tuple[tuple[str, str, str], ...]


def evaluate(database: Database, settings: Settings, chosen: Chosen) -> Evaluation:
    """All figures of what was chosen. Raises InputError when nothing of it is settled."""
    judge = Judge(settings, chosen)
    every, ready, sums = Sums(), Sums(), _Ledger()
    with database.read() as connection:
        for written in evaluating.written(connection, chosen):
            sums.add(written)
            if not written.text:
                continue
            judged = judge(written)
            for group in (every, ready) if written.outcome == Status.READY else (every,):
                group.add(written, judged)
    if not sums.outcomes:
        raise InputError(f"{chosen.name} has no {chosen.kind} that is settled yet: `copydesk status` shows its runs")
    near = near_of_ready = _near(database, chosen, every.texts, lambda _: True)
    if ready.texts != every.texts:
        near_of_ready = _near(database, chosen, ready.texts, lambda written: written.outcome == Status.READY)
    return Evaluation(
        chosen, sums.outcomes, sums.held_for, every.by, sums.outdated, every.texts, ready.texts,
        every.figures(near), ready.figures(near_of_ready), sums.people(),
    )  # fmt: skip


def compare(database: Database, settings: Settings, one: Chosen, other: Chosen) -> Comparison:
    """Two runs, or a shop and a run, side by side. Raises InputError when they cannot be compared."""
    check_pair(one, other)
    sides = Sums(), Sums()
    paired: dict[str, Paired] = defaultdict(Paired)
    judges = Judge(settings, one), Judge(settings, other)
    ready = [0.0, 0.0]
    with database.read() as connection:
        for both in evaluating.pairs(connection, one, other):
            is_ready = [float(written.outcome == Status.READY) for written in both]
            ready = [sum(one) for one in zip(ready, is_ready, strict=True)]
            paired["ready"].add(*is_ready)
            if all(written.text for written in both):
                _add_pair(paired, sides, both, judges)
    products = paired["ready"].pairs
    if not products:
        raise InputError(f"{one.name} and {other.name} have no product in common: compare runs of the same products")
    figures = [
        side.figures(_near_of_pairs(database, one, other, place, side.texts)) for place, side in enumerate(sides)
    ]
    first, second = (
        Side(chosen, side.by, number / products, of_side)
        for chosen, side, number, of_side in zip((one, other), sides, ready, figures, strict=True)
    )
    return Comparison(
        first, second, products, sides[0].texts, _differences(paired, *figures), differing(one.recipe, other.recipe)
    )


def check_pair(one: Chosen, other: Chosen) -> None:
    """Raises InputError for what cannot be compared with each other."""
    if one == other:
        raise InputError(f"{one.name} cannot be compared with itself: name another run with --against")
    if one.kind != other.kind:
        raise InputError(f"{one.name} is of the kind {one.kind}, {other.name} of {other.kind}: compare the same kind")


# One text ------------------------------------------------------------------------------------------------------------


class Judge:
    """Judges the texts of one kind and shop by today's rules of their language."""

    def __init__(self, settings: Settings, chosen: Chosen) -> None:
        self._settings = settings
        self._shop = chosen.shop
        self._kind, _, self._to = chosen.kind.partition(TRANSLATION_MARK)
        self._in = lru_cache(maxsize=None)(self._read)

    def __call__(self, written: Written) -> dict[str, float]:
        """The figures of a text by their names, those left out that it has none of.

        Raises:
            ConfigurationError: there is no prompt for the text's kind and language, or a ruleset file is wrong.
        """
        rules, prompt = self._in(written.language)
        own = replace(written.facts, language=written.language)
        facts, source = copywriting.sayable(own, written.live_text, self._to)
        voice = rules.voice or self._settings.shop(self._shop).voice
        verdict = guards.judge(written.text, facts, rules, finished=True, echoes=prompt.echoes, voice=voice)
        reasons = (*verdict.reasons, *guards.left_out(source, written.text, facts, rules))
        against = Counter(reason.code for reason in reasons if not reason.warns)
        marked = sum(reason.warns and reason.code == CLAIMS for reason in reasons)
        words = metrics.words(written.text)
        ease, length = _readability(written)
        found = {
            "unsupported_numbers": against[NUMBERS],
            "unsupported_claims": against[CLAIMS],
            "marked_claims": marked,
            "rules_kept": against.keys() <= {NUMBERS, CLAIMS},
            "fact_coverage": None if self._to else coverage(written.text, facts, omit=prompt.omit),
            "repetition": metrics.repetition(words),
            "words": len(words),
            "reading_ease": ease,
            "characters_per_sentence": length,
        }
        return {name: float(value) for name, value in found.items() if value is not None}

    def _read(self, language: str) -> tuple[Rules, PromptFile]:
        rules = recipes.rules_for(self._settings, self._shop, self._kind, language)
        # What is not true is counted, also where the shop only marks it or lets it pass.
        severities = {code: severity for code, severity in rules.guards.items() if code not in (NUMBERS, CLAIMS)}
        rules = rules.model_copy(update={"guards": severities})
        return rules, prompts.load(self._kind, language, self._settings.prompts_dir)


def _readability(written: Written) -> tuple[float | None, float | None]:
    """Flesch's figure for English, characters per sentence for Chinese, nothing for other languages."""
    if is_chinese(written.language):
        return None, metrics.characters_per_sentence(written.text)
    is_english = written.language.casefold().startswith("en")
    return metrics.flesch_reading_ease(written.text) if is_english else None, None


# Sums ----------------------------------------------------------------------------------------------------------------


class Sums:
    """Figures of many texts, one after the other."""

    def __init__(self) -> None:
        self.texts = 0
        self.by: Counter[tuple[str, str]] = Counter()
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()
        self._sample: Sample[str] = Sample(SAMPLED)

    def add(self, written: Written, judged: Mapping[str, float]) -> None:
        self.texts += 1
        self.by[written.model, written.prompt] += 1
        for name, value in judged.items():
            self._sums[name] += value
            self._counts[name] += 1
        self._sample.offer(written.sku, written.text)

    def figures(self, near: float | None) -> Figures:
        """All of them; `near` is the share of near-duplicates."""
        means = {name: self._sums[name] / self._counts[name] if self._counts[name] else None for name in PER_TEXT}
        sample = [metrics.words(text) for text in self._sample]
        together = (metrics.distinct(sample, 1), metrics.distinct(sample, 2), metrics.self_bleu(sample), near)
        return {**means, **dict(zip(OF_ALL, together, strict=True))}


@dataclass(slots=True)
class _Ledger:
    """What became of drafts, and what people said of them."""

    outcomes: Counter[str] = field(default_factory=Counter)
    held_for: Counter[str] = field(default_factory=Counter)
    outdated: int = 0
    _decided: Counter[str] = field(default_factory=Counter)
    _distances: list[float] = field(default_factory=list)

    def add(self, written: Written) -> None:
        self.outcomes[written.outcome] += 1
        self.outdated += written.is_outdated
        if written.outcome == Status.HELD:
            self.held_for.update(set(written.codes))
        if said := _said(written):
            self._decided[said] += 1
            if said == "accepted" and written.edited is not None:
                self._distances.append(metrics.edit_distance(written.text, written.edited))

    def people(self) -> People:
        accepted, decided = self._decided["accepted"], self._decided.total()
        edited = len(self._distances)
        return People(
            decided, accepted, self._decided["rejected"], self._decided["undone"], edited,
            accepted / decided if decided else None, metrics.wilson(accepted, decided),
            math.fsum(self._distances) / edited if edited else None,
        )  # fmt: skip


def _said(written: Written) -> str:
    """What a person said of a draft: accepted, rejected, undone; "" for nothing yet."""
    if written.decided_by is None or written.decided_by.startswith(RULE):
        return ""
    if written.state in (Status.APPROVED, Status.PUBLISHED):
        return "accepted"
    return written.state.value if written.state in (Status.REJECTED, Status.UNDONE) else ""


# Near-duplicates -----------------------------------------------------------------------------------------------------


def _near(database: Database, chosen: Chosen, texts: int, wanted: Callable[[Written], bool]) -> float | None:
    with database.read() as connection:
        found = (one for one in evaluating.written(connection, chosen) if one.text and wanted(one))
        return _share_of_near(connection, found, texts)


def _near_of_pairs(database: Database, one: Chosen, other: Chosen, place: int, texts: int) -> float | None:
    with database.read() as connection:
        both = (pair for pair in evaluating.pairs(connection, one, other) if all(written.text for written in pair))
        return _share_of_near(connection, (pair[place] for pair in both), texts)


def _share_of_near(connection: Any, found: Iterable[Written], texts: int) -> float | None:
    """Of so many texts; those that may be alike are read once more, so that few are in memory."""
    if not texts:
        return None
    sieve = Sieve()
    sieve.add(Text(one.draft, one.product, one.text) for one in found)
    near = sieve.pairs(lambda drafts: evaluating.texts(connection, drafts))
    return len({pair.later for pair in near}) / texts


# Two runs ------------------------------------------------------------------------------------------------------------


def _add_pair(
    paired: Mapping[str, Paired], sides: tuple[Sums, Sums], both: tuple[Written, Written], judges: tuple[Judge, Judge]
) -> None:
    first, second = (judge(written) for judge, written in zip(judges, both, strict=True))
    for side, written, judged in zip(sides, both, (first, second), strict=True):
        side.add(written, judged)
    for name in first.keys() & second.keys():
        paired[name].add(first[name], second[name])


def _differences(paired: Mapping[str, Paired], first: Figures, second: Figures) -> dict[str, Difference]:
    found = {name: Difference(of_name.difference or 0.0, of_name.interval()) for name, of_name in paired.items()}
    for name in OF_ALL:
        one, other = first[name], second[name]
        if one is not None and other is not None:
            found[name] = Difference(one - other)
    return found


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """What two recipes say differently: name, the first's, the second's; "-" where one says nothing.

    >>> differing({"model": "a", "sampling": {"top_k": 5}}, {"model": "a", "sampling": {"top_k": 9}})
    (('sampling.top_k', '5', '9'),)
    """
    if not one or not other:
        return ()
    first, second = dict(_flat(one)), dict(_flat(other))
    names = [*first, *(name for name in second if name not in first)]
    both = ((name, _worded(first.get(name, "-")), _worded(second.get(name, "-"))) for name in names)
    return tuple(one for one in both if one[1] != one[2])


def _worded(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _flat(recipe: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def chosen(database: Database, run: int | None, shop: str | None, kind: str | None) -> Chosen:
    """The drafts of a run, or the newest of a shop. Raises NotFound, and InputError where there is nothing to judge."""
    with database.read() as connection:
        if run is not None:
            return evaluating.of_run(connection, run)
        return evaluating.of_shop(connection, shop or "", kind or DESCRIPTION)
