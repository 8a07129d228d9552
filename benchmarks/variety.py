"""Near-duplicates among many texts, on one core: time, what is found, memory.

    .venv/bin/python benchmarks/variety.py [--texts 10000,100000] [--seed 1]

Texts of six sentences; one in fifty is an earlier one with one to four words changed. Recall is of those that are at
least 0.8 alike, by comparing; precision is the share of what was found that is that alike and was planted. Each size
has a process of its own; no text is kept, and what it takes to make them is not counted.
"""

import argparse
import random
import resource
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import workload

from copydesk.variety import THRESHOLD, Sieve, Text, likeness, shingles

PLANTED_EVERY = 50
SENTENCES = 6
PATTERNS = [
    "The {} {} comes in {} and is easy to keep.", "Its {} {} stays {} for years of use.",
    "Made for {} days, it goes with {} rooms and {} things.", "You get a {} piece with a {} edge and a {} back.",
    "We like how {} it looks beside {} or {} ones.", "A {} lining keeps the {} part {} and quiet.",
    "Wear it {} or {}, with something {} under it.", "On a {} table or in a {} bag it is always {}.",
    "Between {} and {} we chose {}, as most would.", "Nothing {} about it: a {} shape, {} lines.",
    "Every {} one of them is {} before it is {}.", "Its {} side is {}, the other one {}.",
]  # fmt: skip


def original(number: int, seed: int) -> list[str]:
    """The words of a text that is like no other."""
    chosen = random.Random(f"{seed} {number}")
    said = [pattern.format(*chosen.sample(workload.WORDS, 3)) for pattern in chosen.sample(PATTERNS, SENTENCES)]
    return " ".join(said).split()


def origin(number: int, seed: int) -> int | None:
    """Which text this one is a copy of, with some words changed; None for an original."""
    if not number or number % PLANTED_EVERY:
        return None
    earlier = random.Random(f"{seed} origin {number}").randrange(number)
    return earlier if earlier % PLANTED_EVERY else earlier + 1


def text(number: int, seed: int) -> str:
    of = origin(number, seed)
    words = original(number if of is None else of, seed)
    if of is not None:
        chosen = random.Random(f"{seed} changed {number}")
        for place in chosen.sample(range(len(words)), chosen.randint(1, 4)):
            words[place] = chosen.choice(workload.WORDS)
    return " ".join(words)


class Shop:
    """Makes texts, and counts the seconds that takes."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.seconds = 0.0

    def one(self, number: int) -> str:
        began = time.perf_counter()
        made = text(number, self.seed)
        self.seconds += time.perf_counter() - began
        return made

    def all(self, count: int) -> Iterator[Text]:
        return (Text(number, number, self.one(number)) for number in range(count))

    def some(self, numbers: Collection[int]) -> dict[int, str]:
        return {number: self.one(number) for number in numbers}


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(count: int, seed: int) -> dict[str, Any]:
    shop, sieve = Shop(seed), Sieve()
    list(Sieve().pairs(shop.some))  # warm
    before_kib, began = peak_kib(), time.perf_counter()
    sieve.add(shop.all(count))
    pairs = list(sieve.pairs(shop.some))
    seconds, kib = time.perf_counter() - began - shop.seconds, peak_kib() - before_kib
    found = {pair.later for pair in pairs}
    alike = {number for number in range(count) if is_alike(number, seed)}
    planted = {number for number in range(count) if origin(number, seed) is not None}
    return {
        "texts": count,
        "seconds": seconds,
        "texts/s": count / seconds,
        "planted": len(alike),
        "found": len(found),
        "recall": len(found & alike) / len(alike),
        "precision": len(found & planted) / len(found),
        "peak MB": kib / 1024,
        "bytes a text": kib * 1024 / count,
    }


def is_alike(number: int, seed: int) -> bool:
    of = origin(number, seed)
    return of is not None and likeness(shingles(text(number, seed)), shingles(text(of, seed))) >= THRESHOLD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", default="10000,100000")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows = []
    for count in map(int, arguments.texts.split(",")):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            rows.append(alone.submit(measure, count, arguments.seed).result())
    workload.report("variety", rows, seed=arguments.seed, threshold=THRESHOLD)


if __name__ == "__main__":
    main()
