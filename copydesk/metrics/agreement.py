"""Whether two people say the same."""

from collections import Counter
from collections.abc import Iterable


def cohens_kappa(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Cohen 1960: how much more often two raters agree than chance would; 1.0 always, 0.0 as chance, below 0 less.

    None without a pair, and where both always say the same one word: there is nothing to disagree about.

    Args:
        pairs: what the one and the other said of each thing that both rated.
    """
    found = list(pairs)
    if not found:
        return None
    agreed = sum(one == other for one, other in found) / len(found)
    first, second = Counter(one for one, _ in found), Counter(other for _, other in found)
    by_chance = sum(count * second[word] for word, count in first.items()) / len(found) ** 2
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else None
