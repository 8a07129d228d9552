"""Facts become a prompt: only what is known of the product, one fact to a line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Template

from copydesk.errors import MissingFact
from copydesk.model import Facts
from copydesk.prompts.files import Example, PromptFile, load, version

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


def render(kind: str, facts: Facts, voice: str = "") -> Prompt:
    """The prompt for one product in its own language and the shop's voice.

    Facts are data: each is put on a line of its own, marks that a chat template would obey are replaced, and the block
    ends after `FACTS_LIMIT` characters (1,500) in the file's order. A later fact is left unsaid, never half said.

    Raises:
        MissingFact: no title, or nothing besides the title.
        ConfigurationError: there is no prompt for this kind and language.
    """
    file = load(kind, facts.language)
    block = _block(file, _sayable(file, facts))
    line = _voice_line(file, voice)
    user = _user_turn(file, block, line)
    # Joined here: a shop without a voice would leave an empty line, at which a base model ends the record.
    plain = Template(file.plain).safe_substitute(facts=f"{block}\n{line}" if line else block)
    turns = (("system", file.system.strip()), *_example_turns(file, facts), ("user", user))
    return Prompt(turns, plain.strip(), version(kind, facts.language), file.echoes)


def _sayable(file: PromptFile, facts: Facts) -> list[tuple[str, str]]:
    """The facts worth sending, each on one line."""
    if not facts.title.strip():
        raise MissingFact("title")
    lines = [(one_line(name), one_line(value)) for name, value in facts.lines() if name not in file.omit]
    lines = [(name, value) for name, value in lines if value]
    if len(lines) < 2:
        raise MissingFact(_NOT_ENOUGH)
    return lines


def _user_turn(file: PromptFile, block: str, voice: str = "") -> str:
    filled = Template(file.template).safe_substitute(facts=block, voice=voice)
    return "\n".join(line for line in filled.splitlines() if line.strip())


def _example_turns(file: PromptFile, facts: Facts) -> Iterable[tuple[str, str]]:
    for example in closest(file.examples, facts)[-EXAMPLES:]:
        yield "user", _user_turn(file, _block(file, example.facts))
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
