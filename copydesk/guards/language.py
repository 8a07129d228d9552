"""The language of each sentence: one foreign sentence hides behind a test of the whole text."""

import re
from collections.abc import Iterator

from copydesk.guards.draft import Draft, has_cjk, words_of
from copydesk.guards.wordlists import word_set
from copydesk.model import Reason

# Everything that is a letter to no reader of English: Cyrillic, Greek, Arabic, Hebrew, Indic, Thai, kana, Han, Hangul.
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1fff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_NOT_HAN = re.compile(r"[\u0370-\u1fff\u3040-\u30fa\u30fd-\u30ff\uac00-\ud7af]+")
_LATIN = re.compile(r"[a-zß-ÿ]")
_ACCENTED = re.compile(r"[^\W\d_]*[À-ÖØ-öø-ž][^\W\d_]*")
_ENGLISH, _FOREIGN, _LOANS = map(word_set, ("english", "foreign", "loans"))

FOREIGN_NAME = 4
"""Words: a Chinese sentence may hold that many Latin ones that the facts do not."""

SHORTEST = 3
"""Words: in fewer no language is told from another."""

# Characters that simplified Chinese does not have: two of them, and a sentence is in traditional Chinese.
_TRADITIONAL = re.compile(
    "[這個們來時會對說為學國過還後點無從長開關見車東門問間馬魚鳥風飛頭顏顯體讓電氣簡單適產條與質術種樣網給經紅綠藍黃銀鐵錢"
    "麼嗎裡邊進遠運達選輕軟號處觸絲線細結約級紙組終續綿繡緊總編織機權樂歡歲歷愛發變動務勝當畫書專將寶實寬廣應夢獨獲現環]"
)
_IN_TRADITIONAL = re.compile("zh[-_](?:hant|tw|hk|mo)", re.IGNORECASE)


def language(draft: Draft) -> Iterator[Reason]:
    """Every sentence is in the draft's language; names that the facts hold may stand in any."""
    check = _not_chinese if draft.chinese else _not_english if draft.facts.language.startswith("en") else None
    for sentence, said in zip(draft.sentences, draft.sentence_words, strict=True):
        if check and check(draft, sentence, said):
            yield Reason("language", f"a sentence is not in the product's language ({draft.facts.language})", sentence)
            return


def _not_english(draft: Draft, sentence: str, said: list[str]) -> bool:
    accented = not sentence.isascii()
    if accented and _unknown_script(_OTHER_SCRIPT, draft, sentence):
        return True
    # In C first: nearly every English sentence ends here.
    foreign = 0 if _FOREIGN.isdisjoint(said) else _count(_FOREIGN - draft.sheet.words, said)
    if not foreign and not accented:
        return False
    english = _count(_ENGLISH, said)
    if foreign > english and foreign >= min(2, len(said) - 2):
        return True
    return accented and not english and len(said) >= SHORTEST and _unknown_accents(draft, sentence)


def _count(words: frozenset[str], said: list[str]) -> int:
    return sum(word in words for word in said)


def _unknown_accents(draft: Draft, sentence: str) -> bool:
    """A word with an accent that is neither a fact's nor one that English took over."""
    known = draft.sheet.text.casefold()
    accented = (word.casefold() for word in _ACCENTED.findall(sentence))
    return any(word not in _LOANS and word not in known for word in accented)


def _unknown_script(script: re.Pattern[str], draft: Draft, sentence: str) -> bool:
    known = draft.sheet.words
    return not all(known.issuperset(words_of(run) or [run]) for run in script.findall(sentence))


def _not_chinese(draft: Draft, sentence: str, said: list[str]) -> bool:
    known = draft.sheet.words
    foreign = [word for word in said if word not in known and _LATIN.match(word)]
    if len(foreign) > FOREIGN_NAME or (foreign and not has_cjk(sentence)):
        return True
    return _unknown_script(_NOT_HAN, draft, sentence) or _is_traditional(draft, sentence)


def _is_traditional(draft: Draft, sentence: str) -> bool:
    if _IN_TRADITIONAL.match(draft.facts.language):
        return False
    return len(_TRADITIONAL.findall(sentence)) > 1 and not _TRADITIONAL.search(draft.sheet.values)
