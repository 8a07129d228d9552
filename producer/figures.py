"""Evaluations, ratings and experiments as tables and as JSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from copydesk.metrics import Interval
from producer.evaluating import SAMPLED, Comparison, Difference, Evaluation, Figures, People, Side
from producer.experiments import ARMS, Results
from producer.ratings import Rated, Truth

SHOWN = 60
"""Characters of a setting."""

Format = Callable[[float], str]


def _number(value: float) -> str:
    return f"{value:.1f}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _fine(value: float) -> str:
    return f"{value:.3f}"


def _per_hundred(value: float) -> str:
    return f"{100 * value:.1f}"


FIGURES: Mapping[str, tuple[str, Format]] = {
    "unsupported_numbers": ("unsupported numbers per 100 texts", _per_hundred),
    "unsupported_claims": ("unsupported claims per 100 texts", _per_hundred),
    "marked_claims": ("claims only marked, per 100 texts", _per_hundred),
    "rules_kept": ("all rules kept", _share),
    "fact_coverage": ("facts said", _share),
    "distinct_1": ("distinct-1", _fine),
    "distinct_2": ("distinct-2", _fine),
    "self_bleu": ("self-BLEU", _fine),
    "near_duplicates": ("near-duplicates", _share),
    "repetition": ("repetition in a text", _share),
    "words": ("words or characters a text", _number),
    "reading_ease": ("Flesch reading ease (English)", _number),
    "characters_per_sentence": ("characters a sentence (Chinese)", _number),
}
"""What each figure is called, and how it is written."""

Row = tuple[str, ...]


# One run -------------------------------------------------------------------------------------------------------------


def evaluation_rows(found: Evaluation) -> Iterator[Row]:
    """Columns: figure, ready texts, all texts; figures that no text has are left out."""
    yield "texts", str(found.ready_texts), str(found.texts)
    for name, (label, form) in FIGURES.items():
        if found.figures[name] is not None:
            yield label, _shown(found.ready[name], form), _shown(found.figures[name], form)


def evaluation_lines(found: Evaluation) -> Iterator[str]:
    """What stands above and below the table, split by a blank line."""
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(found.outcomes.items()))
    yield f"{found.chosen.name}, {found.chosen.kind}: {found.settled} drafts, {outcomes}"
    yield from _written_by("", found.by)
    if found.outdated:
        yield f"{found.outdated} were written from facts that have changed since, and are judged by today's"
    yield ""
    held = found.outcomes.get("held", 0)
    if held:
        yield f"held: {_share(held / found.settled)} of the drafts"
        for code, number in sorted(found.held_for.items(), key=lambda one: (-one[1], one[0])):
            yield f"  {code}: {number} ({_share(number / found.settled)})"
    yield from _people_lines(found.people)
    if max(found.texts, found.ready_texts) > SAMPLED:
        yield f"distinct-n and self-BLEU are of a sample of {SAMPLED:,} texts"


def _people_lines(people: People) -> Iterator[str]:
    if not people.decided:
        yield "nobody has decided on any of it yet"
        return
    yield (
        f"people: {people.decided} decided, {_share(people.acceptance or 0)} accepted"
        f"{_within(people.acceptance_interval, _share)}; {people.rejected} rejected, {people.undone} taken back"
    )
    if people.edit_distance is not None:
        share = people.edited / people.accepted
        yield f"edited before: {_share(share)} of those accepted, {_share(people.edit_distance)} of the text on average"


def evaluation_as_dict(found: Evaluation) -> dict[str, Any]:
    """An evaluation as --json prints it."""
    return {
        "of": found.chosen.name,
        "shop": found.chosen.shop,
        "run": found.chosen.run,
        "kind": found.chosen.kind,
        "settled": found.settled,
        "outcomes": dict(found.outcomes),
        "held_for": dict(found.held_for),
        "outdated": found.outdated,
        "written_by": _by_as_list(found.by),
        "ready": {"texts": found.ready_texts, **_told(found.ready)},
        "all": {"texts": found.texts, **_told(found.figures)},
        "people": asdict(found.people),
    }


# Two runs ------------------------------------------------------------------------------------------------------------


def comparison_rows(found: Comparison) -> Iterator[Row]:
    """Columns: figure, the first, the second, their difference, its interval."""
    yield _compared("ready", found.one.ready, found.other.ready, found.differences.get("ready"), _share)
    for name, (label, form) in FIGURES.items():
        one, other = found.one.figures[name], found.other.figures[name]
        if one is not None or other is not None:
            yield _compared(label, one, other, found.differences.get(name), form)


def _compared(label: str, one: float | None, other: float | None, differs: Difference | None, form: Format) -> Row:
    if differs is None:
        return label, _shown(one, form), _shown(other, form), "", ""
    within = f"{form(differs.interval.low)} to {form(differs.interval.high)}" if differs.interval else ""
    mark = " *" if differs.interval and differs.interval.excludes_zero else ""
    return label, _shown(one, form), _shown(other, form), f"{_signed(differs.value, form)}{mark}", within


def comparison_lines(found: Comparison) -> Iterator[str]:
    """What stands above and below the table, split by a blank line."""
    yield f"{found.products} products in common; both wrote something of {found.texts}, which the figures are of"
    for side in (found.one, found.other):
        yield from _written_by(f"{side.chosen.name}: ", side.by)
    for name, one, other in found.settings:
        yield f"  {name}: {_cut(one) or '-'} against {_cut(other) or '-'}"
    yield ""
    yield "* more than chance: the 95 % interval of the difference leaves out zero"


def comparison_as_dict(found: Comparison) -> dict[str, Any]:
    """A comparison as --json prints it."""
    differences = {name: asdict(one) for name, one in found.differences.items()}
    return {
        "kind": found.one.chosen.kind,
        "products": found.products,
        "texts": found.texts,
        "settings": [{"name": name, "one": one, "other": other} for name, one, other in found.settings],
        "one": _side(found.one),
        "other": _side(found.other),
        "difference": _per_hundred_of_all(differences),
    }


def _per_hundred_of_all(differences: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _scaled(name, one) for name, one in differences.items()}


def _scaled(name: str, value: Any) -> Any:
    """Counts per text become counts per 100 texts, as in the table."""
    if isinstance(value, dict):
        return {key: _scaled(name, one) for key, one in value.items()}
    is_count = name in FIGURES and FIGURES[name][1] is _per_hundred
    return value * 100 if is_count and value is not None else value


def _side(side: Side) -> dict[str, Any]:
    return {
        "of": side.chosen.name,
        "shop": side.chosen.shop,
        "written_by": _by_as_list(side.by),
        "ready": side.ready,
        **_told(side.figures),
    }


# Ratings -------------------------------------------------------------------------------------------------------------


def rated_lines(found: Rated) -> Iterator[str]:
    """What the raters said, for people."""
    yield f"{found.items} items in the sheet, {found.rated} rated by {found.raters} {_plural('rater', found.raters)}"
    decided = found.prefer_one + found.prefer_other
    yield (
        f"better: {found.one} {found.prefer_one}, {found.other} {found.prefer_other}, the same {found.same}"
        f" (sign test: p = {found.preference_p:.3f})"
    )
    if decided:
        share = _share(found.prefer_one / decided)
        yield f"  {found.one} is preferred in {share} of those with a preference{_within(found.preference, _share)}"
    for name, truth in ((found.one, found.truth_of_one), (found.other, found.truth_of_other)):
        yield f"true: {name} {_truth(truth)}"
    if found.truth_of_one.rated and found.truth_of_other.rated:
        yield f"  the difference: p = {found.truth_p:.3f} (McNemar)"
    if found.kappa is not None:
        yield f"raters agree on the better text with a kappa of {found.kappa:.2f}, over {found.rated_twice} items"
    for one in found.untrue:
        yield f"untrue: {one.sku}, {one.of}, said in {one.sheet} row {one.row}{f': {one.note}' if one.note else ''}"
    for problem in found.problems:
        yield f"{problem.sheet} row {problem.row} is left out: {problem.why}"


def _truth(truth: Truth) -> str:
    if not truth.rated:
        return "not rated"
    return f"{truth.true} of {truth.rated} ({_share(truth.true / truth.rated)}){_within(truth.interval, _share)}"


def rated_as_dict(found: Rated) -> dict[str, Any]:
    """Ratings as --json prints them."""
    return asdict(found)


# Experiments ---------------------------------------------------------------------------------------------------------


def result_rows(found: Results) -> Iterator[Row]:
    """Columns: arm, products, impressions, conversions, rate, its interval."""
    for name in ARMS:
        arm = found.arms[name]
        products = str(arm.products) if found.by_product else "-"
        interval = f"{_percent(arm.interval.low)} to {_percent(arm.interval.high)}" if arm.interval else "-"
        yield name, products, f"{arm.impressions:,}", f"{arm.conversions:,}", _percent(arm.rate), interval


def result_lines(found: Results) -> Iterator[str]:
    """What the figures say, for people."""
    if found.interval is None or found.p is None:
        yield (
            "not decided: each arm needs at least two products with impressions"
            if found.by_product
            else ("not decided: each arm needs impressions")
        )
    else:
        lift = f" ({found.lift:+.1%} of the rate before)" if found.lift is not None else ""
        yield (
            f"new less before: {_signed(found.difference, _percent)}{lift}, within {_percent(found.interval.low)} to "
            f"{_percent(found.interval.high)}; p = {found.p:.3f}"
        )
        yield _verdict(found)
    if not found.by_product:
        yield "  the file has sums only: taken as if each impression were drawn by itself, the interval is too narrow"
    if found.has_few_products:
        yield "  fewer than 30 products in an arm: the interval is rough"
    for row, why in found.problems:
        yield f"row {row} is left out: {why}"


def _verdict(found: Results) -> str:
    if found.decided:
        return f"decided: the {'new texts do' if found.difference > 0 else 'texts before did'} better"
    if found.more_impressions is None:
        return "not decided, and no number of impressions would be enough: the rates are the same"
    return f"not decided: about {found.more_impressions:,} more impressions if the difference stays what it is"


def results_as_dict(found: Results) -> dict[str, Any]:
    """Results as --json prints them."""
    return {
        **asdict(found),
        "decided": found.decided,
        "problems": [{"row": row, "why": why} for row, why in found.problems],
    }


# Words ---------------------------------------------------------------------------------------------------------------


def _told(figures: Figures) -> dict[str, float | None]:
    return {name: _scaled(name, figures[name]) for name in FIGURES}


def _shown(value: float | None, form: Format) -> str:
    return "-" if value is None else form(value)


def _signed(value: float, form: Format) -> str:
    return form(value) if value < 0 else f"+{form(value)}"


def _percent(value: float) -> str:
    """With a digit more: rates of sales are small."""
    return f"{value:.2%}"


def _within(interval: Interval | None, form: Format) -> str:
    return f" ({form(interval.low)} to {form(interval.high)})" if interval else ""


def _written_by(before: str, by: Mapping[tuple[str, str], int]) -> Iterator[str]:
    for (model, prompt), texts in sorted(by.items(), key=lambda one: -one[1]):
        yield f"{before}{texts} texts by {model or 'nobody'}, prompt {prompt or '-'}"


def _by_as_list(by: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [{"model": model, "prompt": prompt, "texts": texts} for (model, prompt), texts in by.items()]


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def _cut(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= SHOWN else f"{value[: SHOWN - 1]}…"


def halves(lines: Iterator[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The lines before the first blank one, and those after it."""
    found = list(lines)
    place = found.index("")
    return found[:place], found[place + 1 :]
