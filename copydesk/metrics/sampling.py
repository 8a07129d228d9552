"""A sample of a stream that does not depend on its order, so that two runs over the same products sample the same."""

import heapq
from collections.abc import Iterator
from hashlib import blake2b
from typing import Generic, TypeVar

Value = TypeVar("Value")


def place(*words: object) -> float:
    """A number from 0 up to 1 that is always the same for the same words, and as good as random between others.

    >>> place("sku1") == place("sku1"), 0 <= place("sku1") < 1
    (True, True)
    """
    told = "\0".join(map(str, words)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(told, digest_size=6).digest()) / 2**48


class Sample(Generic[Value]):
    """Keeps `size` of the values offered: those whose keys have the lowest places; memory is bounded by `size`."""

    def __init__(self, size: int, seed: int = 1) -> None:
        self._size = size
        self._seed = seed
        self._kept: list[tuple[float, str, Value]] = []

    def offer(self, key: str, value: Value) -> None:
        """Each key once."""
        one = (-place(self._seed, key), key, value)
        if len(self._kept) < self._size:
            heapq.heappush(self._kept, one)
        elif self._kept and one[0] > self._kept[0][0]:
            heapq.heapreplace(self._kept, one)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Value]:
        """In the order of their places, which has nothing to do with that of the stream."""
        return (value for _, _, value in sorted(self._kept, key=lambda one: (-one[0], one[1])))
