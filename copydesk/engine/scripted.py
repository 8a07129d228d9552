"""An engine without a model, for tests and benchmarks: it writes a plausible text, or misbehaves on demand.

A marker anywhere in a product's facts, in a review or in the prompt says how: `[[scripted:refuse]]` always,
`[[scripted:refuse*2]]` the first two times that it is asked for, `[[scripted:slow]]` and so on; see `Behaviour`.

The process itself counts, so its end starts the count again: what crashes or hangs it does so however often it is asked
for, and `[[scripted:crash*2]]` says no more than `[[scripted:crash]]`.
"""

import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from copydesk.engine.backend import OutOfMemory, Prompt, PromptRefused, Row, Text, Tick, context_refusal
from copydesk.engine.base import Finish, Request

# The prompts turn square brackets in facts into round ones, so a marker in a catalog arrives as ((scripted:refuse)).
_MARKER = re.compile(r"(?:\[\[|\(\()scripted:(?P<behaviour>[a-z]+)(?:\*(?P<times>\d+))?(?:\]\]|\)\))")
_FACT = re.compile(r"^[-*] ?(?P<name>[^:：\n]+?) ?[:：] ?(?P<value>.+)$", re.MULTILINE)
_HAN = re.compile(r"[\u3400-\u9fff]")
_REVIEW = re.compile(r"<review>\n(?P<review>.*)\n</review>(?P<ask>.*)", re.DOTALL)
_GERMAN = re.compile(r"\b(?:Satz|Sätze)\b")

SLOW_SECONDS = 1.0
LONGEST_STEP_SECONDS = 0.05
CONTEXT = 8192
_UNSAID = {"Brand", "Category", "Care", "Feature", "Type", "Tags"}  # the guards refuse them as mere filing
_FILLER = "It is a plain choice for every day, easy to know by its name, and easy to like for just what it is."
_FILLER_ZH = "样子朴素，用起来简单，放在家里或者送给朋友都很自然，看一眼就明白它是什么。"
_ANSWER = "We have read every word of this with care."
_ANSWER_ZH = "您的评价我们都认真看过了。"
_ANSWER_DE = "Wir haben jedes Wort davon mit Sorgfalt gelesen."


class Behaviour(StrEnum):
    """What the engine does with a request."""

    WRITE = "write"  # a text made of the prompt's facts
    SLOW = "slow"  # the same, a second later
    REFUSE = "refuse"  # an apology
    GARBAGE = "garbage"  # a text with a number that is not in the facts
    CUT = "cut"  # half a text, ended by the token limit
    EMPTY = "empty"  # nothing, ended by the model
    FAIL = "fail"  # FAILED
    OOM = "oom"  # out of memory, whatever else runs
    HANG = "hang"  # the step never returns
    CRASH = "crash"  # the process dies of SIGKILL


class ScriptedBackend:
    """Ends a row `delay_seconds` after it was added; `behave` overrides the markers where it returns something.

    It stands in for a backend that batches continuously, with memory for `capacity_tokens` (words, here).
    """

    static = False
    width_beside_replies = None
    model = "scripted"

    def __init__(
        self,
        delay_seconds: float = 0.0,
        behave: Callable[[Request], Behaviour | None] | None = None,
        *,
        width: int = 64,
        capacity_tokens: int | None = None,
    ) -> None:
        self.width = width
        self.capacity_tokens = capacity_tokens
        self._delay_seconds = delay_seconds
        self._behave = behave
        self._asked: Counter[str] = Counter()
        self._rows: dict[Row, tuple[Behaviour, float]] = {}  # and when each is due, by time.monotonic()
        self._closed = threading.Event()

    def read(self, request: Request) -> Prompt:
        """Words stand for tokens."""
        prompt = _prompt(request)
        tokens = len(prompt.split())
        if refusal := context_refusal(tokens, request.sampling.max_tokens, CONTEXT):
            raise PromptRefused(refusal)
        return Prompt(tokens, prompt)

    def add(self, row: Row) -> None:
        try:
            behaviour = self._behaviour(row)
        except ValueError as error:
            raise PromptRefused(f"the script cannot be followed: {error}") from error
        delay_seconds = self._delay_seconds + (SLOW_SECONDS if behaviour is Behaviour.SLOW else 0)
        self._rows[row] = (behaviour, time.monotonic() + delay_seconds)

    def remove(self, row: Row) -> None:
        del self._rows[row]

    def step(self, tick: Tick) -> list[tuple[Row, Text]]:  # noqa: ARG002
        """The rows that are due; the whole process misbehaves as soon as one row does."""
        behaviours = {behaviour for behaviour, _ in self._rows.values()}
        if Behaviour.CRASH in behaviours:
            os.kill(os.getpid(), signal.SIGKILL)
        if Behaviour.HANG in behaviours:
            self._closed.wait()
        if Behaviour.OOM in behaviours:
            raise OutOfMemory("scripted")
        now = time.monotonic()
        first = min(due for _, due in self._rows.values())
        if first > now:
            self._closed.wait(min(first - now, LONGEST_STEP_SECONDS))
            now = time.monotonic()
        due = [(row, behaviour) for row, (behaviour, at) in self._rows.items() if at <= now]
        for row, _ in due:
            del self._rows[row]
            row.first_token_at = now
        return [(row, _outcome(behaviour, row.prompt.data)) for row, behaviour in due]

    def close(self) -> None:
        """Ends a hang too, where it hangs in a thread of this process."""
        self._closed.set()

    def _behaviour(self, row: Row) -> Behaviour:
        prompt: str = row.prompt.data
        subject = _subject(prompt)
        if row.index == 0:
            self._asked[subject] += 1
        marker = _MARKER.search(prompt)
        if self._behave is not None and (chosen := self._behave(row.request)):
            return chosen
        if marker is None or self._asked[subject] > int(marker["times"] or self._asked[subject]):
            return Behaviour.WRITE
        return Behaviour(marker["behaviour"])


def _subject(prompt: str) -> str:
    """The product's facts or the review, whatever is said around them."""
    if review := _REVIEW.search(prompt):
        return review["review"]
    return str(_FACT.findall(prompt) or prompt)


def write(prompt: str) -> str:
    """A text that says only what the facts of a prompt say, in their language; the same for the same prompt."""
    if review := _REVIEW.search(prompt):
        return _ANSWER_ZH if _HAN.search(review["ask"]) else _ANSWER_DE if _GERMAN.search(review["ask"]) else _ANSWER
    facts = _FACT.findall(_MARKER.sub("", prompt))
    title, *others = [(name.strip(), value.strip(" .。")) for name, value in facts] or [("", "")]
    joined = "".join(value for _, value in facts) or prompt
    if len(_HAN.findall(joined)) * 2 > len(re.findall(r"\w", joined)):
        said = "，".join(f"{name}是{value}" for name, value in others)
        return f"{title[1]}，{said}。{_FILLER_ZH}" if said else f"{title[1]}。{_FILLER_ZH}"
    text = f"This is {title[1] or 'it'}. {_FILLER}"
    said = ", ".join(value for name, value in others if name not in _UNSAID)
    return f"{text} Good to know: {said}." if said else text


def _prompt(request: Request) -> str:
    return request.messages[-1].content if request.messages else request.plain


def _outcome(behaviour: Behaviour, prompt: str) -> Text:
    text = write(prompt)
    outcomes = {
        Behaviour.REFUSE: ("Sorry, I can't help with that.", Finish.STOP, ""),
        Behaviour.GARBAGE: (f"{text} It weighs 98765 kg.", Finish.STOP, ""),
        Behaviour.CUT: (text[: len(text) // 2], Finish.LENGTH, ""),
        Behaviour.EMPTY: ("", Finish.STOP, ""),
        Behaviour.FAIL: ("", Finish.FAILED, "scripted to fail"),
    }
    said, finish, error = outcomes.get(behaviour, (text, Finish.STOP, ""))
    return Text(said, finish, len(said.split()), error=error)
