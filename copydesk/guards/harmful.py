"""harmful: insults, hate, sexual words and self-harm, which no shop says of anything or anybody."""

from collections.abc import Iterator

from copydesk.guards.draft import Draft
from copydesk.guards.phrases import Phrases
from copydesk.guards.wordlists import entries
from copydesk.model import Reason

_WORDS = Phrases(entries("harmful"))


def harmful(draft: Draft) -> Iterator[Reason]:
    """Nobody is insulted, and nothing is said of hate, sex or suicide."""
    span = next(_WORDS.find(draft), "")
    if span:
        yield Reason("harmful", f'uses words that insult or harm people: "{span}"', span)
