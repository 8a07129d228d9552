"""The language of a text, by its script and, where that is Latin, by its little words (languages.toml)."""

import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

UNKNOWN = "und"
"""ISO 639-2 for undetermined: nothing is said, or only digits and signs are."""

_LISTS: dict[str, str] = tomllib.loads(Path(__file__).with_name("languages.toml").read_text(encoding="utf-8"))
_LANGUAGES_OF: dict[str, list[str]] = defaultdict(list)
for _language, _words in _LISTS.items():
    for _word in dict.fromkeys(_words.split()):
        _LANGUAGES_OF[_word].append(_language)

_LINK_OR_ADDRESS = re.compile(r"\S{1,300}@\S{1,300}|https?:\S+|www\.\S+")
_SCRIPTS = {
    "Latin": r"A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff'’",
    "Han": r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "ja": r"\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "ko": r"\u1100-\u11ff\uac00-\ud7af",
    "Cyrillic": r"\u0400-\u052f",
    "Arabic": r"\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefe",
    "he": r"\u0590-\u05ff\ufb1d-\ufb4f",
    "el": r"\u0370-\u03ff\u1f00-\u1fff",
    "th": r"\u0e00-\u0e7f",
    "hi": r"\u0900-\u097f",
    "bn": r"\u0980-\u09ff",
    "ta": r"\u0b80-\u0bff",
    "ka": r"\u10a0-\u10ff",
    "hy": r"\u0530-\u058f",
}
"""The characters of each script, or of a language that has its own."""

_RUNS = re.compile("|".join(f"(?P<{name}>[{characters}]+)" for name, characters in _SCRIPTS.items()))

# Scripts without blanks between words: how many characters make one, by and large.
_CHARACTERS_IN_A_WORD = {"Han": 1.5, "ja": 2.5, "ko": 2.5, "th": 4.0}
_CHECKED_CHARACTERS = 4_000
"""A longer text says its language in its beginning."""

_LETTERS = {
    "Cyrillic": (("uk", "іїєґ"), ("ru", "")),
    "Arabic": (("ur", "ٹڈڑے"), ("fa", "پچژگک"), ("ar", "")),
}  # fmt: skip
_ACCENTS = (
    ("de", "äöüß"), ("es", "ñ¿¡"), ("pt", "ãõ"), ("pl", "łśżźćń"), ("tr", "ğışİ"), ("cs", "ěřů"), ("sv", "å"),
    ("da", "æø"), ("fr", "éèêàçœ"),
)  # fmt: skip


def language_of(text: str) -> str:
    """The dominant language: "zh", "en", "de", another ISO 639-1 code, or "und" where there is no letter.

    Latin letters of no language that is known count as English, unless their accents say otherwise.

    >>> language_of("质量很不错, delivery ok"), language_of("Schöne Tasse, gerne wieder"), language_of("👍 10/10")
    ('zh', 'de', 'und')
    """
    text = _LINK_OR_ADDRESS.sub(" ", text[:_CHECKED_CHARACTERS]).casefold()
    runs = [(found.lastgroup or "", found.group()) for found in _RUNS.finditer(text)]
    weights: dict[str, float] = defaultdict(float)
    for script, run in runs:
        weights[script] += len(run) / _CHARACTERS_IN_A_WORD[script] if script in _CHARACTERS_IN_A_WORD else 1
    if not weights:
        return UNKNOWN
    script = max(weights, key=lambda one: (weights[one], one != "Latin"))
    if script in ("Han", "ja"):
        return "ja" if weights["ja"] * 5 > weights["Han"] else "zh"
    if script == "Latin":
        return _of_latin([run.replace("’", "'") for kind, run in runs if kind == "Latin"], text)
    return next(language for language, letters in _LETTERS.get(script, ((script, ""),)) if _holds(text, letters))


def _of_latin(words: list[str], text: str) -> str:
    scores = Counter(language for word in words for language in _LANGUAGES_OF.get(word, ()))
    best = max(scores.values(), default=0)
    likely = [language for language in _LISTS if scores[language] == best]
    if best and len(likely) == 1:
        return likely[0]
    accented = [language for language, letters in _ACCENTS if _holds(text, letters)]
    return next((language for language in accented if language in likely), likely[0])


def _holds(text: str, letters: str) -> bool:
    return not letters or any(letter in text for letter in letters)
