"""What every backend with a chat template has to do to a prompt before it renders it. Imports no backend's library."""

import re
from collections.abc import Callable, Iterable, Sequence

from copydesk.engine.base import Message


def folded(messages: Sequence[Message]) -> list[Message]:
    """The system message moved into the first user message, for templates that know no system role (Gemma 2)."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    rest = [message for message in messages if message.role != "system"]
    if not system or not rest:
        return rest
    return [Message(rest[0].role, f"{system}\n\n{rest[0].content}"), *rest[1:]]


def knows_system_role(render: Callable[[list[Message]], str]) -> bool:
    """Does the template behind `render` write down what the system message says?"""
    try:
        return "s7q" in render([Message("system", "s7q"), Message("user", "u")])
    except Exception:  # a template refuses by raising, in whatever way it likes
        return False


def special_pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    """What finds a tokenizer's special tokens (`words`, as they are written) in a text; None if it has none."""
    long_enough = {word for word in words if len(word) > 2 and not word.isspace()}
    longest_first = sorted(long_enough, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def defused(text: str, pattern: re.Pattern[str] | None) -> str:
    """Break up special tokens: a review that quotes `<|im_end|>` must not end the customer's turn."""
    return pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text) if pattern else text
