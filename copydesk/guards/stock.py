"""words: stock phrases that make every shop's copy sound alike. They are marked, not refused."""

from collections.abc import Iterator

from copydesk.guards.draft import Draft
from copydesk.guards.phrases import Phrases
from copydesk.guards.wordlists import entries
from copydesk.model import Reason

_PHRASES = Phrases(entries("stock"))


def stock(draft: Draft) -> Iterator[Reason]:
    """No phrase that a thousand shops use."""
    for span in _PHRASES.find(draft):
        yield Reason("words", f'uses a phrase that every shop uses: "{span}"', span, warns=True)
