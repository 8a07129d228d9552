"""Lists of words and phrases, looked up in a text at the cost of the few that it might hold."""

import re
from collections.abc import Iterable, Iterator

from copydesk.guards.draft import Draft, words_of


class Phrases:
    """A list of entries; the spellings of one stand together, parted by " | ".

    Latin spellings are looked up by words, Chinese ones in the running text.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        spellings = [spelling for entry in entries for spelling in entry.split(" | ")]
        self._latin: dict[str, list[str]] = {}
        for spelling in filter(str.isascii, spellings):
            words = words_of(spelling)
            # The longest word of a phrase is its rarest: most texts hold none of them, and nothing else is looked at.
            self._latin.setdefault(max(words, key=len), []).append(f" {' '.join(words)} ")
        chinese = sorted((one for one in spellings if not one.isascii()), key=len, reverse=True)
        self._chinese = re.compile("|".join(map(re.escape, chinese)) or r"(?!)")
        self._keys = frozenset(self._latin)

    def find(self, draft: Draft) -> Iterator[str]:
        """Every spelling that the text holds and the facts do not."""
        for word in self._keys & draft.vocabulary:
            for phrase in self._latin[word]:
                if phrase in draft.line and phrase not in draft.sheet.line:
                    yield phrase.strip()
        if not draft.text.isascii():
            for found in self._chinese.finditer(draft.text):
                if found.group() not in draft.sheet.values:
                    yield found.group()
