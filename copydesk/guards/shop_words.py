"""words.required and words.forbidden: the words that a shop's rules ask for and rule out."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from copydesk.guards.draft import Draft, Sheet, has_cjk, words_of
from copydesk.model import Reason


class Text(NamedTuple):
    """A text as words are looked up in it: its words between blanks, and as it runs."""

    line: str
    running: str

    @classmethod
    def of(cls, text: str) -> "Text":
        return cls(f" {' '.join(words_of(text))} ", text.casefold())


class Word:
    """One entry of a list: spellings parted by " | ".

    Latin spellings are looked up by words, whatever their case; such as hold Chinese in the running text.
    """

    def __init__(self, entry: str) -> None:
        self.spellings = tuple(filter(None, map(str.strip, entry.split(" | "))))
        self._forms = [_form(spelling) for spelling in self.spellings]

    def find(self, text: Text) -> str:
        """The first spelling that the text holds, "" for none."""
        found = zip(self.spellings, self._forms, strict=True)
        return next((one for one, (form, runs) in found if form in (text.running if runs else text.line)), "")


def _form(spelling: str) -> tuple[str, bool]:
    """The spelling as it is looked for, and whether in the running text."""
    words = words_of(spelling)
    return (spelling.casefold(), True) if has_cjk(spelling) or not words else (f" {' '.join(words)} ", False)


@lru_cache(maxsize=256)
def words(entries: tuple[str, ...]) -> tuple[Word, ...]:
    """The entries of a list, made ready once."""
    return tuple(map(Word, entries))


@lru_cache(maxsize=4096)
def names(sheet: Sheet) -> Text:
    """What the product is called, which no text can go without."""
    return Text.of(f"{sheet.facts.title}\n{sheet.facts.brand}")


def required(draft: Draft) -> Iterator[Reason]:
    """Every required word is there in one of its spellings."""
    if not draft.rules.required:
        return
    text = Text(draft.line, draft.text.casefold())
    for word in words(draft.rules.required):
        if not word.find(text):
            named = " or ".join(f'"{spelling}"' for spelling in word.spellings)
            yield Reason("words.required", f"does not say {named}", word.spellings[0])


def forbidden(draft: Draft) -> Iterator[Reason]:
    """No forbidden word is there, unless the product itself is called so."""
    if not draft.rules.forbidden:
        return
    text = Text(draft.line, draft.text.casefold())
    for word in words(draft.rules.forbidden):
        span = word.find(text)
        if span and not word.find(names(draft.sheet)):
            yield Reason("words.forbidden", f'says "{span}", which the shop\'s rules forbid', span)
