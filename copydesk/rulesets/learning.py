"""What samples of a shop's copy have in common: how they sound, how long they are, which words come back.

Nothing here is guessed: every part of a voice is a count. No model is asked.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from copydesk.metrics import sentences, words

CHINESE, LATIN = "zh", "en"

USUAL = 0.5
"""Share of the texts that make something the shop's way."""

NOW_AND_THEN = 0.1
"""Share of the texts from which on something is done at all."""

RECURRING, FEWEST_TEXTS = 0.6, 3
"""A word in so large a share of the texts recurs, where there are that many texts."""

MOST_RECURRING = 12

ROUNDED = 5
"""Limits of length are widened to a multiple of it: a percentile of a few texts is no exact number."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")
_CONTRACTION = re.compile(
    r"\b(?:\w+n['’]t|\w+['’](?:re|ve|ll|d|m)|(?:it|that|there|here|what|let)['’]s)\b", re.IGNORECASE
)
_WE = frozenset({"we", "our", "ours", "us"})
_YOU = frozenset({"you", "your", "yours"})

_LISTS = tomllib.loads(Path(__file__).with_name("learning.toml").read_text(encoding="utf-8"))
_BRITISH, _AMERICAN = map(frozenset, zip(*(pair.split("/") for pair in _LISTS["spellings"].split()), strict=True))
_COMMON, _COMMON_ZH = frozenset(_LISTS["common"].split()), frozenset(_LISTS["common_zh"])


@dataclass(frozen=True, slots=True)
class Style:
    """What the texts of one language have in common.

    Attributes:
        language: "zh", or "en" for all that is not Chinese.
        texts: how many there are.
        voice: how they sound, as an instruction.
        shortest, longest: 10th and 90th percentile of their length, in words or Chinese characters, widened a little.
        recurring: words in most of the texts, the most frequent first.
    """

    language: str
    texts: int
    voice: str
    shortest: int
    longest: int
    recurring: tuple[str, ...]


def learn(texts: Iterable[str]) -> list[Style]:
    """The style of the Latin and of the Chinese texts, whichever there are."""
    return [_style(language, some) for language, some in by_language(texts).items() if some]


def voice_of(texts: Iterable[str], language: str) -> str:
    """How the samples in a language sound, "" when there are none in it: other languages go by the Latin ones."""
    some = by_language(texts)[CHINESE if language.partition("-")[0] == CHINESE else LATIN]
    return _voice(some, chinese=language.startswith(CHINESE)) if some else ""


def by_language(texts: Iterable[str]) -> dict[str, list[str]]:
    """The texts, Chinese and others apart."""
    apart: dict[str, list[str]] = {LATIN: [], CHINESE: []}
    for text in texts:
        apart[CHINESE if is_chinese(text) else LATIN].append(text)
    return apart


def is_chinese(text: str) -> bool:
    """Whether most of its words are Chinese characters."""
    said = words(text)
    return 2 * sum(_HAN.match(word) is not None for word in said) > len(said)


def _style(language: str, texts: Sequence[str]) -> Style:
    chinese = language == CHINESE
    lengths = sorted(_length(text, chinese=chinese) for text in texts)
    shortest, longest = _percentile(lengths, 0.1), _percentile(lengths, 0.9)
    recurring = _recurring_zh(texts) if chinese else _recurring(texts)
    return Style(
        language,
        len(texts),
        _voice(texts, chinese=chinese),
        max(1, shortest - shortest % ROUNDED),
        longest + -longest % ROUNDED,
        tuple(recurring[:MOST_RECURRING]),
    )


def _length(text: str, *, chinese: bool) -> int:
    return sum(map(len, words(text))) if chinese else len(words(text))


def _percentile(in_order: Sequence[int], share: float) -> int:
    return in_order[round(share * (len(in_order) - 1))]


def _voice(texts: Sequence[str], *, chinese: bool) -> str:
    parts = (_sentences_zh, _person_zh) if chinese else (_sentences, _person, _spelling, _contractions)
    marks = (_exclamations_zh, _emoji_zh) if chinese else (_exclamations, _emoji)
    told = (part(texts) for part in (*parts, *marks))
    return ("" if chinese else " ").join(filter(None, told))


def _share(texts: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(pattern.search(text) is not None for text in texts) / len(texts)


def _share_with(texts: Sequence[str], some: frozenset[str]) -> float:
    said = ({re.split("['’]", word, maxsplit=1)[0] for word in words(text)} for text in texts)
    return sum(not some.isdisjoint(one) for one in said) / len(texts)


def _usual_sentence(texts: Sequence[str]) -> int:
    """Words, or Chinese characters, of the middle sentence."""
    return round(
        median(
            sum(len(word) if _HAN.match(word) else 1 for word in words(one))
            for text in texts
            for one in sentences(text)
        )
    )


def _sentences(texts: Sequence[str]) -> str:
    usual = _usual_sentence(texts)
    kind = "Short sentences" if usual <= 10 else "Long sentences" if usual >= 20 else "Sentences"
    return f"{kind} of some {usual} words."


def _person(texts: Sequence[str]) -> str:
    we, you = _share_with(texts, _WE) >= USUAL, _share_with(texts, _YOU) >= USUAL
    if we and you:
        return 'Speak as "we" to "you".'
    if you:
        return 'Speak to "you".'
    return 'Speak as "we".' if we else 'Speak of the product, neither as "we" nor to "you".'


def _spelling(texts: Sequence[str]) -> str:
    said = Counter(word for text in texts for word in words(text))
    british, american = (sum(said[word] for word in spellings) for spellings in (_BRITISH, _AMERICAN))
    if british == american:
        return ""
    return "British spelling." if british > american else "American spelling."


def _contractions(texts: Sequence[str]) -> str:
    share = _share(texts, _CONTRACTION)
    return 'Contractions such as "it\'s".' if share >= USUAL else "" if share >= NOW_AND_THEN else "No contractions."


def _exclamations(texts: Sequence[str]) -> str:
    share = sum("!" in text for text in texts) / len(texts)
    return "Exclamation marks." if share >= USUAL else "" if share >= NOW_AND_THEN else "No exclamation marks."


def _emoji(texts: Sequence[str]) -> str:
    return "Emoji now and then." if _share(texts, _EMOJI) >= NOW_AND_THEN else ""


def _sentences_zh(texts: Sequence[str]) -> str:
    usual = _usual_sentence(texts)
    kind = "短句，" if usual <= 15 else "长句，" if usual >= 35 else ""
    return f"{kind}每句约{usual}字。"


def _person_zh(texts: Sequence[str]) -> str:
    polite, plain = (sum(text.count(word) for text in texts) for word in ("您", "你"))
    we = sum("我们" in text for text in texts) >= USUAL * len(texts)
    readers = "" if polite == plain == 0 else "称呼顾客用“您”。" if polite >= plain else "称呼顾客用“你”。"
    return readers + ("自称“我们”。" if we else "")


def _exclamations_zh(texts: Sequence[str]) -> str:
    share = sum("！" in text or "!" in text for text in texts) / len(texts)
    return "常用感叹号。" if share >= USUAL else "" if share >= NOW_AND_THEN else "不用感叹号。"


def _emoji_zh(texts: Sequence[str]) -> str:
    return "偶尔用表情符号。" if _share(texts, _EMOJI) >= NOW_AND_THEN else ""


def _recurring(texts: Sequence[str]) -> list[str]:
    said = Counter(word for text in texts for word in set(words(text)) if len(word) > 3 and word not in _COMMON)
    return _most(said, len(texts))


def _recurring_zh(texts: Sequence[str]) -> list[str]:
    """Runs of two to four characters; one that is only ever part of a longer one is left out."""
    said = Counter(run for text in texts for run in _runs(text))
    found = _most(said, len(texts))
    return [
        run for run in found if not any(run in other and run != other and said[run] == said[other] for other in found)
    ]


def _runs(text: str) -> set[str]:
    runs = (
        part[at : at + length]
        for part in re.findall(r"[\u3400-\u9fff]+", text)
        for length in (2, 3, 4)
        for at in range(len(part) - length + 1)
    )
    return {run for run in runs if _COMMON_ZH.isdisjoint(run)}


def _most(said: Counter[str], texts: int) -> list[str]:
    least = max(FEWEST_TEXTS, RECURRING * texts)
    return [word for word, count in sorted(said.items(), key=lambda one: (-one[1], one[0])) if count >= least]
