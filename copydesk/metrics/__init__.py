"""Figures of texts and of what people said of them: pure, each a small function with its source in its docstring.

A text is counted in words; each Chinese character is a word. docs/evaluation.md says what each figure is good for.

>>> distinct([words("Soft wool, soft light")], 1)
0.75
>>> round(edit_distance("kitten", "sitting"), 3)
0.429
>>> two_proportions(30, 1000, 55, 1000) < 0.05
True
"""

from copydesk.metrics.agreement import cohens_kappa
from copydesk.metrics.diversity import distinct, self_bleu
from copydesk.metrics.editing import edit_distance
from copydesk.metrics.paired import Paired
from copydesk.metrics.ratio import Ratio
from copydesk.metrics.readability import characters_per_sentence, flesch_reading_ease
from copydesk.metrics.repetition import repetition
from copydesk.metrics.sampling import Sample, place
from copydesk.metrics.significance import (
    Interval,
    difference_of_proportions,
    more_needed,
    normal_interval,
    normal_p,
    sign_test,
    two_proportions,
    wilson,
)
from copydesk.metrics.words import sentences, words

__all__ = [
    "Interval",
    "Paired",
    "Ratio",
    "Sample",
    "characters_per_sentence",
    "cohens_kappa",
    "difference_of_proportions",
    "distinct",
    "edit_distance",
    "flesch_reading_ease",
    "more_needed",
    "normal_interval",
    "normal_p",
    "place",
    "repetition",
    "self_bleu",
    "sentences",
    "sign_test",
    "two_proportions",
    "wilson",
    "words",
]
