"""How good the word lists' sentiments are, language by language, against labels that people gave."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from copydesk.jobs import evaluation
from copydesk.jobs.evaluation import Evaluation, Labelled, Malformed
from copydesk.model import Polarity
from copydesk.triage import language_of
from copydesk.triage.sentiment import leaning, sentiment


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of each language, and the lines that were no use."""

    languages: Mapping[str, Evaluation]
    malformed: Sequence[Malformed]


def measure(file: Path) -> Measured:
    """Judge each text of a labelled file by its words alone, never by stars: the label may be made of them.

    Where no text of a language is labelled neutral, none is judged to be.

    Raises:
        InputError: the file cannot be read.
    """
    labelled, malformed = evaluation.read_labelled(file)
    by_language: dict[str, list[Labelled]] = defaultdict(list)
    for one in labelled:
        by_language[one.language or language_of(one.text)].append(one)
    return Measured(
        {language: _figures(language, by_language[language]) for language in sorted(by_language)}, malformed
    )


def _figures(language: str, labelled: Sequence[Labelled]) -> Evaluation:
    found = [sentiment(one.text, language) for one in labelled]
    is_neutral_known = any(one.label is Polarity.NEUTRAL for one in labelled)
    said = [one.polarity if is_neutral_known else leaning(one) for one in found]
    return evaluation.evaluate(zip((one.label for one in labelled), said, strict=True))
