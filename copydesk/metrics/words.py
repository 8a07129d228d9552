"""A text cut into words and sentences, in any script; Chinese has no blanks, so each of its characters is a word."""

import re

_HAN = r"\u3400-\u9fff"
_WORDS = re.compile(
    rf"[{_HAN}]|\d+(?:[.,/]\d+)*[^\W\d_{_HAN}]*|[^\W_{_HAN}]+(?:['’][^\W_{_HAN}]+)*",
)
_CHINESE = re.compile(rf"[{_HAN}]")
# A full stop inside "2.5 l" ends nothing: Latin marks need white space after them, Chinese ones do not.
_ENDS = re.compile(r"[.!?…]+[\"”’')\]]*(?=\s|$)|[。！？；…]+[”’」』）]*|\n+")


def words(text: str) -> list[str]:
    """The text's words in order, casefolded; a number with its decimals is one word.

    >>> words("Holds 2.5 litres. 很轻。")
    ['holds', '2.5', 'litres', '很', '轻']
    """
    return _WORDS.findall(text.casefold())


def sentences(text: str) -> list[str]:
    """The text's sentences that have a word in them, without the mark that ends them.

    A line end ends a sentence, and so does a Chinese semicolon. "No. 5" is taken for two.

    >>> sentences("Holds 2.5 l. Light! 很轻；很暖。")
    ['Holds 2.5 l', 'Light', '很轻', '很暖']
    """
    cut = (one.strip() for one in _ENDS.split(text))
    return [one for one in cut if _WORDS.search(one.casefold())]


def chinese_characters(text: str) -> int:
    """How many Chinese characters it holds; punctuation is none."""
    return len(_CHINESE.findall(text))
