"""Which of many texts may be nearly the same: MinHash signatures, of which only the hashes of their bands are kept."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import NamedTuple

from rensa import RMinHash

from copydesk.variety.shingles import likeness, shingles

THRESHOLD = 0.8
"""Likeness from which on two texts are near-duplicates."""

SLOTS, BANDS, ROWS = 128, 21, 6
"""Of a signature. Two texts are compared where all rows of a band agree: that finds 99.8 % of those that are 0.8 alike,
nearly all that are more, and takes 1.5 % of those that are 0.3 alike for nothing."""

SEED = 6
BATCH = 256
COMPARED_AT_ONCE = 500

_PLACE_BITS = 32
_PLACE = (1 << _PLACE_BITS) - 1

_BAND_MASK = 0xFFFF_FFFF  # in a million texts a hundred pairs meet by chance in a band; comparing sorts them out


class Text(NamedTuple):
    """One text. `key` is the caller's own; texts that are `of` the same thing are not compared with each other."""

    key: int
    of: int
    text: str


class Pair(NamedTuple):
    """Two keys whose texts are nearly the same, and how alike they are, up to 1.0."""

    earlier: int
    later: int
    likeness: float


def near_duplicates(texts: Iterable[tuple[int, str]], threshold: float = THRESHOLD) -> list[Pair]:
    """For every text (key, words) that is nearly the same as an earlier one, that one; the keys are distinct.

    The texts are kept in memory; Sieve does without.
    """
    kept = dict(texts)
    sieve = Sieve()
    sieve.add(Text(key, key, text) for key, text in kept.items())
    return list(sieve.pairs(lambda keys: {key: kept[key] for key in keys}, threshold))


class Sieve:
    """Takes in texts, of each of which it keeps some 100 bytes; says which are nearly the same as an earlier one."""

    def __init__(self) -> None:
        self._keys = array("q")
        self._of = array("q")
        self._bands = [array("I") for _ in range(BANDS)]

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, texts: Iterable[Text]) -> None:
        """One after the other; a blank one is like no other."""
        left = iter(texts)
        while some := list(islice(left, BATCH)):
            shingled = [(one, found) for one in some if (found := shingles(one.text))]
            signatures = RMinHash.digests_from_token_sets([found for _, found in shingled], SLOTS, SEED)
            for (one, _), signature in zip(shingled, signatures, strict=True):
                self._keys.append(one.key)
                self._of.append(one.of)
                for place, band in enumerate(self._bands):
                    band.append(hash(tuple(signature[place * ROWS : (place + 1) * ROWS])) & _BAND_MASK)

    def pairs(
        self,
        read: Callable[[Collection[int]], Mapping[int, str]],
        threshold: float = THRESHOLD,
        since: int = 0,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Iterator[Pair]:
        """Texts from the `since`-th on that are nearly the same as an earlier one, with the likest of those compared.

        Args:
            read: gives some texts once more, by their keys; one that is gone may be missing.
            meanwhile: called every second or so for as long as nothing is read.
        """
        found = groupby(self._candidates(since, meanwhile), key=lambda one: one >> _PLACE_BITS)
        while some := [(later, sorted({one & _PLACE for one in of})) for later, of in islice(found, COMPARED_AT_ONCE)]:
            texts = read({self._keys[place] for later, earlier in some for place in (later, *earlier)})
            runs = {key: shingles(text) for key, text in texts.items()}
            for later, earlier in some:
                pair = self._likest(runs, later, earlier)
                if pair.likeness >= threshold:
                    yield pair

    def _likest(self, runs: Mapping[int, frozenset[str]], later: int, earlier: Sequence[int]) -> Pair:
        own = runs.get(self._keys[later], frozenset())
        keys = [self._keys[place] for place in earlier]
        alike, key = max(((likeness(own, runs.get(key, frozenset())), -at), key) for at, key in enumerate(keys))
        return Pair(key, self._keys[later], alike[0])

    def _candidates(self, since: int, meanwhile: Callable[[], object]) -> Iterator[int]:
        """Places of texts that agree in a band, the later one's above the earlier one's bits, in order, some twice.

        Of those that agree with a text the first and the last before it are taken: where thousands are alike, to
        compare each with each would take for ever, and would find the same ones. Eight bytes each: of texts made
        after one pattern, each meets others in all bands.
        """
        found = []
        for band in self._bands:
            meanwhile()
            found.append(array("Q", sorted(self._of_band(band, since))))
        return merge(*found)

    def _of_band(self, band: Collection[int], since: int) -> Iterator[int]:
        for places in _groups(band):
            for at, later in enumerate(places):
                if later >= since:
                    yield from (later << _PLACE_BITS | earlier for earlier in self._neighbours(places, at))

    def _neighbours(self, places: Sequence[int], at: int) -> Iterator[int]:
        """The first and the last text before this one of the group that are of something else."""
        own = self._of[places[at]]
        for before in (range(at), range(at - 1, -1, -1)):
            yield from islice((places[one] for one in before if self._of[places[one]] != own), 1)


def _groups(band: Collection[int]) -> Iterable[list[int]]:
    """The places of each hash that comes more than once."""
    seen: set[int] = set()
    several: set[int] = set()
    for value in band:
        (several if value in seen else seen).add(value)
    groups: dict[int, list[int]] = defaultdict(list)
    for place, value in enumerate(band):
        if value in several:
            groups[value].append(place)
    return groups.values()
