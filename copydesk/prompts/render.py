"""Facts become a prompt: only what is known of the product, one fact to a line."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import Template

from copydesk.errors import MissingFact
from copydesk.model import Facts, is_chinese
from copydesk.prompts.files import Example, PromptFile, load
from copydesk.settings import Rules

FACTS_LIMIT = 1500
"""Characters of the facts block, about 400 tokens: what is further down a longer product is not sent."""

VALUE_LIMIT = 300
"""Characters of one value, so that a manufacturer's paragraph does not push the other facts out."""

EXAMPLES = 2
"""Worked examples sent: the two closest, of which the nearer comes last."""

NAME_LIMIT = 80
"""Characters of an attribute's name."""

_NOT_ENOUGH = "attribute, brand or category (only a title is not enough to write from)"

# A catalog value may hold a chat template's own marks, and tokenizers read those as control tokens wherever they stand.
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'"})


_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class _Wording:
    """How words and facts are asked for in a language; `echoes` must not turn up in the copy."""

    words: str
    facts: str
    joint: str
    echoes: tuple[str, ...]


_ENGLISH = _Wording("Use these words: $words.", "Mention these: $facts.", ", ", ("use these words", "mention these"))
_CHINESE = _Wording("请用上这些词：$words。", "请写到：$facts。", "、", ("请用上", "请写到"))

NO_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to ask a model.

    Attributes:
        turns: (role, content) for models with a chat template.
        plain: the same for base models, to be continued.
        version: the prompt's name as drafts record it.
        echoes: phrases of the worked example and the instructions that must not turn up in the copy.
    """

    turns: tuple[tuple[str, str], ...]
    plain: str
    version: str
    echoes: tuple[str, ...]


def render(kind: str | PromptFile, facts: Facts, voice: str = "", text: str = "", rules: Rules = NO_RULES) -> Prompt:
    """The prompt for one product in its own language and the shop's voice, or for a translation into a language.

    Facts are data: each is put on a line of its own, marks that a chat template would obey are replaced, and the block
    ends after `FACTS_LIMIT` characters (1,500) in the file's order. A later fact is left unsaid, never half said.

    Args:
        kind: a kind of ours by its name, or the prompt file itself, as the recipe of a run holds it.
        facts: what may be said of the product.
        voice: the shop's, "" for none.
        text: what is to be translated, for a kind that does.
        rules: whose required words and facts that have to be told are asked for.

    Raises:
        MissingFact: no title, or nothing besides the title; for a translation, no text.
        ConfigurationError: there is no prompt for this kind and language.
    """
    file = load(kind, facts.language) if isinstance(kind, str) else kind
    if file.translates and not text.strip():
        raise MissingFact("live description to translate")
    block = "" if file.translates else _block(file, _sayable(file, facts))
    asked = list(_asked(file, facts, rules))
    line = "\n".join(filter(None, (_voice_line(file, voice), *asked)))
    text = "\n".join(map(one_line, text.splitlines()))
    user = _user_turn(file, block, line, text)
    # Joined here: a shop without a voice would leave an empty line, at which a base model ends the record.
    plain = Template(file.plain).safe_substitute(facts=f"{block}\n{line}" if line else block, text=text)
    turns = (("system", file.system.strip()), *_example_turns(file, facts), ("user", user))
    echoes = (*file.echoes, *_wording(facts.language).echoes) if asked else file.echoes
    return Prompt(turns, plain.strip(), file.name, echoes)


def voice(voice: str, tone: str, language: str) -> str:
    """How copy is to sound, in one line: the voice, and after it the tone. "" where neither is given.

    >>> voice("Plain, a little dry.", "friendly", "en")
    'Plain, a little dry; friendly'
    >>> voice("简短朴实。", "亲切", "zh")
    '简短朴实；亲切'
    """
    joint = "；" if is_chinese(language) else "; "
    return joint.join(filter(None, (voice.strip().rstrip(".。") if tone else voice.strip(), tone.strip())))


def _sayable(file: PromptFile, facts: Facts) -> list[tuple[str, str]]:
    """The facts worth sending, each on one line."""
    if not facts.title.strip():
        raise MissingFact("title")
    lines = [(one_line(name), one_line(value)) for name, value in facts.lines() if name not in file.omit]
    lines = [(name, value) for name, value in lines if value]
    if len(lines) < 2:
        raise MissingFact(_NOT_ENOUGH)
    return lines


def _user_turn(file: PromptFile, block: str, voice: str = "", text: str = "") -> str:
    filled = Template(file.template).safe_substitute(facts=block, voice=voice, text=text)
    return "\n".join(line for line in filled.splitlines() if line.strip())


def _example_turns(file: PromptFile, facts: Facts) -> Iterable[tuple[str, str]]:
    for example in closest(file.examples, facts)[-EXAMPLES:]:
        yield "user", _user_turn(file, _block(file, example.facts), text=example.text)
        yield "assistant", example.answer.strip()


def closest(examples: Sequence[Example], facts: Facts) -> list[Example]:
    """The examples, the one whose kinds of facts are most like the product's last.

    A small model copies the example next to it: shown a coat's material, it makes paint of waxed canvas.
    """
    own = {name.casefold() for name, _ in facts.attributes}

    def likeness(example: Example) -> int:
        names = {name.casefold() for name, _ in example.facts} - {"title", "brand", "category"}
        return len(own & names) - len(names - own)

    return sorted(examples, key=likeness)


def _voice_line(file: PromptFile, voice: str) -> str:
    return Template(file.voice).safe_substitute(voice=one_line(voice)).strip() if voice.strip() else ""


def _asked(file: PromptFile, facts: Facts, rules: Rules) -> Iterator[str]:
    """A line for the words that are required, and one for the facts that have to be told and that the product has."""
    wording = _wording(facts.language)
    if words := [_spelling(word, facts.language) for word in rules.required]:
        yield Template(wording.words).safe_substitute(words=wording.joint.join(words))
    wanted = {name.casefold() for name in rules.must_say}
    named = [file.names.get(name, name) for name, _ in facts.lines() if name.casefold() in wanted] if wanted else []
    if named and not file.translates:
        yield Template(wording.facts).safe_substitute(facts=wording.joint.join(map(one_line, named)))


def _wording(language: str) -> _Wording:
    return _CHINESE if is_chinese(language) else _ENGLISH


def _spelling(word: str, language: str) -> str:
    """Of the spellings of a word the first in the script of the language, or else the first."""
    spellings = [one_line(spelling) for spelling in word.split(" | ")]
    chinese = is_chinese(language)
    return next((one for one in spellings if bool(_HAN.search(one)) is chinese), spellings[0])


def _block(file: PromptFile, lines: Iterable[tuple[str, str]]) -> str:
    kept: list[str] = []
    room = FACTS_LIMIT
    for name, value in lines:
        line = f"- {_cut(file.names.get(name, name), NAME_LIMIT)}: {_cut(value, VALUE_LIMIT)}"
        if len(line) > room:
            break
        kept.append(line)
        room -= len(line) + 1
    return "\n".join(kept)


def one_line(text: str) -> str:
    return " ".join(text.translate(_HARMLESS).split())


def _cut(value: str, limit: int) -> str:
    """The value cut at a word end; Chinese has none, and is cut at the limit."""
    if len(value) <= limit:
        return value
    head, _, _ = value[: limit + 1].rpartition(" ")
    return head or value[:limit]
