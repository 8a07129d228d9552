"""Blind rating sheets: which of two texts is better, and is each true? A key beside the sheet tells whose each is."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from copydesk import metrics
from copydesk.errors import InputError
from copydesk.metrics import Interval, Sample, place
from copydesk.model import Facts, Status
from copydesk.store import Database, evaluating
from copydesk.store.evaluating import Chosen, Written
from producer import sheets
from producer.catalog.records import Row
from producer.files import output

COLUMNS = ("item", "sku", "facts", "text_1", "text_2", "better", "true_1", "true_2", "note")

Value = TypeVar("Value")

ONE, OTHER, SAME = "one", "other", "same"

_BETTER = {"1": "1", "2": "2", "same": SAME, "=": SAME, "一样": SAME, "相同": SAME, "": None}
_TRUE = {"y": True, "yes": True, "是": True, "对": True, "n": False, "no": False, "否": False, "错": False, "": None}


class _KeyItem(BaseModel):
    """One item of a sheet: `first` says whose text 1 is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: str
    first: Annotated[str, Field(pattern=f"^({ONE}|{OTHER})$")]


class Key(BaseModel):
    """What tells the texts of a sheet apart: who `one` and `other` are, and each item by its number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    one: str
    other: str
    seed: int
    items: dict[str, _KeyItem]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was written: items, the key's file, and how many products were passed over because both texts are one."""

    items: int
    key: Path
    same: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of a sheet that cannot be used, and why."""

    sheet: str
    row: int
    why: str


@dataclass(frozen=True, slots=True)
class Rating:
    """One rater's word on one item: `better` is one, other or same, `true` by whose text. None: nothing is said."""

    sheet: str
    row: int
    item: str
    sku: str
    better: str | None
    true: Mapping[str, bool | None]
    note: str


@dataclass(frozen=True, slots=True)
class Truth:
    """How many texts were rated, and how many no rater called untrue."""

    true: int
    rated: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Untrue:
    """A text that a rater called untrue: of which product, whose, and where it is said."""

    sku: str
    of: str
    sheet: str
    row: int
    note: str


@dataclass(frozen=True, slots=True)
class Rated:
    """What raters said. Of an item that several rated counts what most prefer, and the same where they are even.

    `preference` is the interval of the first's share among items with a preference, `kappa` how well two raters agree
    (the mean over pairs of raters), None without two.
    """

    one: str
    other: str
    items: int
    rated: int
    raters: int
    prefer_one: int
    prefer_other: int
    same: int
    preference: Interval | None
    preference_p: float
    truth_of_one: Truth
    truth_of_other: Truth
    truth_p: float
    kappa: float | None
    rated_twice: int
    untrue: Sequence[Untrue]
    problems: Sequence[Problem]


# Writing -------------------------------------------------------------------------------------------------------------


def write(database: Database, one: Chosen, other: Chosen, file: Path, *, items: int, seed: int) -> Sheet:
    """Write a sheet of products that both have a ready text of, and its key. The same seed gives the same sheet.

    Raises InputError where there is no such product, or a file cannot be written.
    """
    sample: Sample[tuple[Written, Written]] = Sample(items, seed)
    same = 0
    with database.read() as connection:
        for both in evaluating.pairs(connection, one, other):
            if any(written.outcome != Status.READY for written in both):
                continue
            if both[0].text == both[1].text:
                same += 1
            else:
                sample.offer(both[0].sku, both)
    if not len(sample):
        raise InputError(
            f"{one.name} and {other.name} have no product of which both have a ready text, and not the same: "
            "compare runs of the same products"
        )
    chosen = {str(number): both for number, both in enumerate(sample, start=1)}
    key = Key(one=one.name, other=other.name, seed=seed, items={n: _hidden(b, seed) for n, b in chosen.items()})
    written = sheets.write(file, COLUMNS, _lines(chosen, key))
    with output(key_of(file)) as stream:
        stream.write(key.model_dump_json(indent=1) + "\n")
    return Sheet(written, key_of(file), same)


def key_of(sheet: Path) -> Path:
    """Where the key of a sheet is.

    >>> key_of(Path("rate/sheet.csv")).name
    'sheet.key.json'
    """
    return sheet.with_suffix(".key.json")


def _hidden(both: tuple[Written, Written], seed: int) -> _KeyItem:
    sku = both[0].sku
    return _KeyItem(sku=sku, first=ONE if place(seed, "side", sku) < 0.5 else OTHER)


def _lines(chosen: Mapping[str, tuple[Written, Written]], key: Key) -> Iterator[tuple[str, ...]]:
    for number, (one, other) in chosen.items():
        first, second = (one, other) if key.items[number].first == ONE else (other, one)
        yield number, one.sku, _facts(one.facts), first.text, second.text, "", "", "", ""


def _facts(facts: Facts) -> str:
    return "\n".join(f"{name}: {value}" for name, value in facts.lines())


# Reading -------------------------------------------------------------------------------------------------------------


def read(files: Sequence[Path], key_file: Path | None = None) -> Rated:
    """What the raters of one sheet said, one file for each; rows that cannot be used are told and left out.

    Args:
        files: the sheet, filled in; copies of it where several rated.
        key_file: the sheet's key; None for the one beside the first file.

    Raises:
        InputError: a file cannot be read or is no rating sheet, or the key is missing or wrong.
    """
    for file in files:
        if not file.is_file():
            raise InputError(f"{file} is no file: name the sheets that were filled in")
    key = _key(key_file or key_of(files[0]))
    ratings: list[Rating] = []
    problems: list[Problem] = []
    for file in files:
        seen: set[str] = set()
        for row in sheets.read(file, [name for name in COLUMNS if name not in ("facts", "note")], "a rating sheet"):
            try:
                rating = _rating(row, key, file.name, seen)
            except ValueError as error:
                problems.append(Problem(file.name, row.line, str(error)))
                continue
            seen.add(rating.item)
            if rating.better is not None or any(said is not None for said in rating.true.values()):
                ratings.append(rating)
    return _add_up(key, ratings, problems)


def _key(file: Path) -> Key:
    try:
        return Key.model_validate_json(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{file} is missing: without its key nobody knows whose texts they are; name it with --key"
        ) from error
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no key of a rating sheet: take the one that was written with the sheet") from error


def _rating(row: Row, key: Key, sheet: str, seen: set[str]) -> Rating:
    """Raises ValueError, with the reason for a person."""
    if row.fault:
        raise ValueError(row.fault.message)
    item = row.get("item").strip()
    known = key.items.get(item)
    if known is None:
        raise ValueError(f"there is no item {item!r} in the key: leave the column as it was")
    if row.get("sku").strip() != known.sku:
        raise ValueError(
            f"item {item} is the product {known.sku!r}, not {row.get('sku')!r}: leave both columns as they were"
        )
    if item in seen:
        raise ValueError(f"item {item} was rated in an earlier row: one row each")
    names = {"1": known.first, "2": OTHER if known.first == ONE else ONE, SAME: SAME}
    better = _word(row, "better", _BETTER, "1, 2 or same")
    true = {names[number]: _word(row, f"true_{number}", _TRUE, "y or n") for number in ("1", "2")}
    return Rating(sheet, row.line, item, known.sku, names.get(better or ""), true, row.get("note").strip())


def _word(row: Row, column: str, words: Mapping[str, Value], allowed: str) -> Value:
    said = row.get(column).strip().casefold()
    if said not in words:
        raise ValueError(f"{column} is {row.get(column).strip()!r}: write {allowed}")
    return words[said]


# Adding up -----------------------------------------------------------------------------------------------------------


def _add_up(key: Key, ratings: Sequence[Rating], problems: Sequence[Problem]) -> Rated:
    by_item: dict[str, list[Rating]] = defaultdict(list)
    for rating in ratings:
        by_item[rating.item].append(rating)
    better = [_most(rating.better for rating in of_item) for of_item in by_item.values()]
    one, other = better.count(ONE), better.count(OTHER)
    true = {
        side: [_holds(rating.true[side] for rating in of_item) for of_item in by_item.values()] for side in (ONE, OTHER)
    }
    both = list(zip(true[ONE], true[OTHER], strict=True))
    kappa, twice = _agreement(by_item)
    return Rated(
        key.one, key.other, len(key.items), len(by_item), len({rating.sheet for rating in ratings}),
        one, other, better.count(SAME), metrics.wilson(one, one + other), metrics.sign_test(one, other),
        _truth(true[ONE]), _truth(true[OTHER]), metrics.sign_test(both.count((True, False)), both.count((False, True))),
        kappa, twice, _untrue(key, ratings), problems,
    )  # fmt: skip


def _most(said: Iterable[str | None]) -> str | None:
    """What most say, the same where they are even; None where nobody says anything."""
    found = [one for one in said if one is not None]
    if not found:
        return None
    lead = found.count(ONE) - found.count(OTHER)
    return SAME if not lead else ONE if lead > 0 else OTHER


def _holds(said: Iterable[bool | None]) -> bool | None:
    """One rater who finds an error is enough."""
    found = [one for one in said if one is not None]
    return all(found) if found else None


def _truth(said: Sequence[bool | None]) -> Truth:
    true, rated = said.count(True), len(said) - said.count(None)
    return Truth(true, rated, metrics.wilson(true, rated))


def _agreement(by_item: Mapping[str, Sequence[Rating]]) -> tuple[float | None, int]:
    """The mean kappa over pairs of raters (Light 1971), and how many items two of them rated."""
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    twice = 0
    for ratings in by_item.values():
        said = sorted((rating.sheet, rating.better) for rating in ratings if rating.better is not None)
        twice += len(said) > 1
        for (rater, word), (other, other_word) in combinations(said, 2):
            pairs[rater, other].append((word, other_word))
    kappas = [kappa for one in pairs.values() if (kappa := metrics.cohens_kappa(one)) is not None]
    return (sum(kappas) / len(kappas) if kappas else None), twice


def _untrue(key: Key, ratings: Iterable[Rating]) -> list[Untrue]:
    names = {ONE: key.one, OTHER: key.other}
    return [
        Untrue(rating.sku, names[side], rating.sheet, rating.row, rating.note)
        for rating in ratings
        for side, is_true in rating.true.items()
        if is_true is False
    ]
