"""How far a person's words are from the model's."""

from rapidfuzz.distance import Levenshtein


def edit_distance(before: str, after: str) -> float:
    """Levenshtein 1966, over the length of the longer text: 0.0 the same, 1.0 not a character kept.

    Characters are compared, in every script; a sentence moved to another place counts as taken out and put in.
    """
    return float(Levenshtein.normalized_distance(before, after))
