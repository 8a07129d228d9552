"""The form of a text: finished, without repetition or prompt text, of the right length, plain, naming the product."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from operator import eq

from copydesk.guards.draft import Draft, Sheet, words_of
from copydesk.guards.quantities import NUMBER_WORDS
from copydesk.guards.wordlists import word_set
from copydesk.model import Reason

_ENDS = re.compile(r"[.!?。！？…][\"”’'）)」』]*$")
_TAIL = re.compile(r"(?:\s*(?:#\w+|[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]))+$")
"""Hashtags and emoji, which other guards judge, after the last sentence."""
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|&(?:[a-zA-Z]{2,8}|#\d{1,6});")

_MAKERS = frozenset({"brand", "company", "brewery", "manufacturer", "boutique", "shop"})
_MAKER = re.compile(r"\bis an? (?:[\w,-]+ ){0,5}(?:brand|company|brewery|manufacturer|boutique|shop)\b")

REPEATED_RUN = 4
"""Words: of 400 good descriptions none repeated four that were not the product's own name."""

REPEATED_RUN_ZH = 7
"""Characters."""

_BETWEEN = frozenset({(), ("and",), ("or",), ("a",), ("of",), ("is",), ("the",), ("and", "even"), ("or", "even")})
_TWICE_IS_FINE = word_set("twice")

LONG_WORD = 6
"""Letters of a word that good copy does not use twice in one sentence."""

SHORT_TITLE = 3
"""Words: in up to this many every one is asked for."""

GARBLED = 0.4
"""How alike two words are, one of which a small model wrote for the other: "cinch" for "cushion", "Poli" for "Polo"."""

VOICE_RUN = 5
"""Words of the shop's voice in a row that count as reciting it."""

_GLUE = word_set("glue")


def finished(draft: Draft) -> Iterator[Reason]:
    """The text ends, and with a full sentence; a title and the lines of a list need no full stop."""
    open_ended = draft.rules.one_line or draft.is_list
    if not draft.text.strip():
        yield Reason("shape.finished", "there is no text")
    elif not draft.finished:
        yield Reason("shape.finished", "breaks off: it grew longer than the model may write", draft.text[-30:])
    elif not (open_ended or _ENDS.search(draft.text) or _ENDS.search(_TAIL.sub("", draft.text))):
        yield Reason("shape.finished", "the last sentence is not finished", draft.sentences[-1][-60:])


def leaked(draft: Draft) -> Iterator[Reason]:
    """No phrase of the worked example, of the instructions or of the shop's voice, unless the facts hold it."""
    said = " ".join(word.removesuffix("'s") for word in draft.words)
    text = f" {said} "
    for phrase, words in _phrases(draft.echoes):
        if words in text and words not in draft.sheet.line and words.strip() not in draft.sheet.words:
            yield Reason("shape.finished", f'repeats "{phrase}" from the instructions to the model', phrase)
            return
    for words in _voice_runs(draft.voice):
        if words in text and words not in draft.sheet.line:
            yield Reason("shape.finished", "recites the shop's voice instead of using it", words.strip())
            return


@lru_cache(maxsize=64)
def _phrases(echoes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each phrase as it is written, and as it is looked for: its words between blanks."""
    return [(phrase, f" {' '.join(words_of(phrase))} ") for phrase in echoes if words_of(phrase)]


@lru_cache(maxsize=64)
def _voice_runs(voice: str) -> list[str]:
    return [f" {' '.join(run)} " for run in _runs(words_of(voice), VOICE_RUN)]


def repeated(draft: Draft) -> Iterator[Reason]:
    """No sentence twice, no run of words twice, no word twice in a row or on both sides of "and"."""
    seen: set[tuple[str, ...]] = set()
    for sentence, words in zip(draft.sentences, map(tuple, draft.sentence_words), strict=True):
        if words in seen:
            yield Reason("shape.finished", "says the same sentence twice", sentence)
            return
        seen.add(words)
    span = _repeated_run(draft) or ("" if draft.chinese else _stuttered(draft) or _worn_out(draft))
    if span:
        yield Reason("shape.finished", f'repeats "{span}"', span)


def _repeated_run(draft: Draft) -> str:
    own = draft.sheet.words | _GLUE
    length, joint = (REPEATED_RUN_ZH, "") if draft.chinese else (REPEATED_RUN, " ")
    seen: set[tuple[str, ...]] = set()
    for run in _runs(draft.words, length):
        if run in seen and not own.issuperset(run):
            return joint.join(run)
        seen.add(run)
    return ""


def _stuttered(draft: Draft) -> str:
    """Sentence by sentence: "We like it. It is good" does not stutter."""
    return next(filter(None, map(_stutter, draft.sentence_words)), "")


def _stutter(words: list[str]) -> str:
    """ "soft, soft", "XL and XL", "XL or even XL", "features a feature"."""
    stems = [word.rstrip("s") if len(word) > 3 else word for word in words]
    for distance in (1, 2, 3):
        # In C first: texts without a stutter, nearly all of them, end here.
        if not any(map(eq, stems, stems[distance:])):
            continue
        for place, (first, last) in enumerate(zip(stems, stems[distance:], strict=False)):
            between = tuple(words[place + 1 : place + distance])
            if first == last and first not in _TWICE_IS_FINE and between in _BETWEEN and first.isalnum():
                return " ".join(words[place : place + distance + 1])
    return ""


def _worn_out(draft: Draft) -> str:
    """A long word twice in one sentence, "a luxurious, high-end, luxurious top": it is not the product's own."""
    own = draft.sheet.words | _TWICE_IS_FINE
    for words in draft.sentence_words:
        long = [word for word in words if len(word) >= LONG_WORD]
        if len(long) > len(set(long)):
            again = next((word for word in long if long.count(word) > 1 and word not in own), "")
            if again and not _opens_clauses(again, long.count(again), draft.text):
                return again
    return ""


def _opens_clauses(word: str, times: int, text: str) -> bool:
    """ "Towers rise, towers fall": a figure of speech, and no worn-out word."""
    return len(re.findall(rf"(?:^|[,;:.!?–—])\s*{word}\b", text, re.IGNORECASE)) >= times


def html(draft: Draft) -> Iterator[Reason]:
    """Copy is plain text: the shop's format is put on when it is published."""
    tag = _TAG.search(draft.text)
    if tag:
        yield Reason("shape.html", f'holds the markup "{tag.group()}", but must be plain text', tag.group())


def length(draft: Draft) -> Iterator[Reason]:
    """Within the shop's limits: words, or in Chinese characters; and all that a channel counts, where it limits it."""
    rules = draft.rules
    low, high, unit = (
        (rules.min_chars_zh, rules.max_chars_zh, "characters")
        if draft.chinese
        else (rules.min_words, rules.max_words, "words")
    )
    if draft.size < low:
        yield Reason("shape.length", f"has {draft.size} {unit}, at least {low} are wanted")
    elif draft.size > high:
        yield Reason("shape.length", f"has {draft.size} {unit}, at most {high} are wanted")
    most = rules.max_characters
    if most is not None and len(draft.text) > most:
        message = f"has {len(draft.text)} characters with blanks and marks, at most {most} fit"
        yield Reason("shape.length", message, draft.text[most:])


def one_line(draft: Draft) -> Iterator[Reason]:
    """A title is one line."""
    if draft.rules.one_line and "\n" in draft.text:
        yield Reason("shape.finished", "is more than one line", draft.text.partition("\n")[2])


def bullets(draft: Draft) -> Iterator[Reason]:
    """A list has the number of bullets that is wanted, one to a line, all of them marked or none, none too long."""
    if not draft.is_list:
        return
    rules, count = draft.rules, len(draft.bullets)
    if rules.min_bullets is not None and count < rules.min_bullets:
        yield Reason("shape.bullets", f"has {count} bullets, at least {rules.min_bullets} are wanted")
    elif rules.max_bullets is not None and count > rules.max_bullets:
        yield Reason("shape.bullets", f"has {count} bullets, at most {rules.max_bullets} are wanted")
    unmarked = [text for mark, text in draft.bullets if not mark]
    if 0 < len(unmarked) < count:
        yield Reason("shape.bullets", "a line of the list has no mark, and the others do", unmarked[0])
    for _, text in draft.bullets:
        if not text:
            yield Reason("shape.bullets", "a bullet of the list is empty")
        elif rules.max_bullet_characters is not None and len(text) > rules.max_bullet_characters:
            message = f"a bullet has {len(text)} characters, at most {rules.max_bullet_characters} fit"
            yield Reason("shape.length", message, text)


def subject(draft: Draft) -> Iterator[Reason]:
    """The text names its product rightly, and is about it; that it leaves out a word of the name is marked."""
    title = list(dict.fromkeys(word for word in words_of(draft.facts.title) if word not in _GLUE))
    said = draft.vocabulary
    missing = [word for word in title if said.isdisjoint((word, word + "s", word.removesuffix("s")))]
    if missing and (wrong := "" if draft.chinese else _garbled(draft, title, missing)):
        yield Reason("words", f'gets the name "{draft.facts.title}" wrong: "{wrong}"', wrong)
    elif said and said.isdisjoint(_own_words(draft.sheet)):
        yield Reason("words", f'says nothing of the product "{draft.facts.title}"')
    elif _is_unnamed(draft, title, missing):
        message = f'does not name the product "{draft.facts.title}": "{" ".join(missing)}" is missing'
        yield Reason("words", message, warns=True)
    yield from _other_subject(draft)


@lru_cache(maxsize=4096)
def _own_words(sheet: Sheet) -> frozenset[str]:
    """What a text about the product says: a word of its facts, or any number in words."""
    return sheet.words - _GLUE | NUMBER_WORDS


def _is_unnamed(draft: Draft, title: list[str], missing: list[str]) -> bool:
    """A word of a short title or most of a long one is missing; in Chinese every two characters of it in a row."""
    if draft.chinese and len(title) > 1:
        return all(f" {first} {second} " not in draft.line for first, second in pairwise(title))
    return len(missing) > (0 if len(title) <= SHORT_TITLE else len(title) * 0.4)


def _garbled(draft: Draft, title: list[str], missing: list[str]) -> str:
    """A word in the place of a missing one, next to its neighbour in the name: "Orange Juice", "parrot cinch"."""
    known = draft.sheet.words | _GLUE
    for place, word in enumerate(title):
        before, after = title[place - 1 : place], title[place + 1 : place + 2]
        for first, second in pairwise(draft.words) if word in missing else ():
            said = second if [first] == before else first if [second] == after else ""
            pair = f"{first} {second}"
            new = said and said.removesuffix("'s") not in known
            if new and (_looks_like(said, word) or pair.title() in draft.text):
                return pair
    return ""


def _looks_like(said: str, word: str) -> bool:
    return said[0] == word[0] and min(len(said), len(word)) > 3 and SequenceMatcher(None, said, word).ratio() >= GARBLED


def _other_subject(draft: Draft) -> Iterator[Reason]:
    maker = _MAKER.search(draft.text) if not _MAKERS.isdisjoint(draft.vocabulary) else None
    if maker:
        yield Reason("words", "describes a brand or a shop instead of the product", maker.group())
    brand = words_of(draft.facts.brand)
    for sentence, words in zip(draft.sentences, draft.sentence_words, strict=True):
        # "Saleor demo shop is a gourmet cafe": where the brand is the subject, the rest is made up.
        start = 1 if words[:1] == ["the"] else 0
        if brand and words[start : start + len(brand) + 2] in ([*brand, "is", "a"], [*brand, "is", "an"]):
            yield Reason("words", f'describes the brand "{draft.facts.brand}" instead of the product', sentence)
            return


def _runs(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)
