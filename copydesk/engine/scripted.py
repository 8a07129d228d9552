"""An engine without a model, for tests and benchmarks: it writes a plausible text, or misbehaves on demand.

A marker anywhere in a product's facts, in a review or in the prompt says how: `[[scripted:refuse]]` always,
`[[scripted:refuse*2]]` the first two times that it is asked for, `[[scripted:slow]]` and so on; see `Behaviour`.

The process itself counts, so its end starts the count again: what crashes or hangs it does so however often it is asked
for, and `[[scripted:crash*2]]` says no more than `[[scripted:crash]]`.
"""

import hashlib
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum

from copydesk.engine.backend import OutOfMemory, Prompt, PromptRefused, Row, Text, Tick, context_refusal
from copydesk.engine.base import Finish, Request

# The prompts turn square brackets in facts into round ones, so a marker in a catalog arrives as ((scripted:refuse)).
_MARKER = re.compile(r"(?:\[\[|\(\()scripted:(?P<behaviour>[a-z]+)(?:\*(?P<times>\d+))?(?:\]\]|\)\))")
_FACT = re.compile(r"^[-*] ?(?P<name>[^:：\n]+?) ?[:：] ?(?P<value>.+)$", re.MULTILINE)
_HAN = re.compile(r"[\u3400-\u9fff]")
_REVIEW = re.compile(r"<review>\n(?P<review>.*)\n</review>(?P<ask>.*)", re.DOTALL)
_GERMAN = re.compile(r"\b(?:Satz|Sätze)\b")

# What copydesk/prompts asks for that is not prose.
_TITLE = re.compile(r"page title|网页标题")
_LIST = re.compile(r"bullet points|headings|卖点|小标题")
_SHORT = re.compile(r"meta description|advertisement|搜索摘要|广告语")
_MAIL = re.compile(r"e-mail|邮件")
_TRANSLATION = re.compile(r"Translate it into English|请译成中文")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?(?: ?[a-zA-Z]{1,2}\b)?")

SLOW_SECONDS = 1.0
LONGEST_STEP_SECONDS = 0.05
CONTEXT = 8192
_UNSAID = {"Brand", "Category", "Care", "Feature", "Type", "Tags"}  # the guards refuse them as mere filing
_SAME = (
    "It is a plain choice for every day, easy to know by its name, and easy to like for just what it is. Keep it where "
    "you can see it, show it to a friend who comes by, and take it along when you go out. There is not much more to "
    "say about it than that, and we think that this is how it should be."
)
_SAME_ZH = (
    "样子朴素，用起来简单，放在家里或者送给朋友都很自然，看一眼就明白它是什么。平时摆在看得见的地方，朋友来了可以拿给他看，出门的时候也可以带在身边。"
    "关于它要说的其实并不多，我们觉得这样就很好，喜欢的人自然会喜欢，看过一次也会记得它的名字。"
)
# So many ways that no two of a million products sound alike.
_FILLER = (
    ("It is", "You have", "We see", "Here is", "This makes", "Think of"),
    ("a plain", "a simple", "a modest", "a quiet", "a calm", "a clear", "a neat", "a decent"),
    ("choice", "thing", "piece", "find", "pick", "item", "answer", "wish"),
    ("for every day,", "for slow hours,", "for the week,", "for a visit,", "for busy days,", "for the table,"),
    ("easy", "pleasant", "fair", "nice", "handy", "fine", "good", "kind"),
    ("to know", "to show", "to keep", "to find", "to hand on", "to like", "to pick", "to name"),
    ("by its name", "at a glance", "among others", "in a shop", "on a shelf", "from afar", "on a walk", "at any hour"),
    ("and", "yet", "and so", "and still", "but also", "and often"),
    ("liked", "chosen", "kept", "wanted", "shown", "given", "taken", "asked"),
    ("for just", "for all", "for exactly", "for simply", "for only", "for quite"),
    ("what it is.", "what it says.", "how it looks.", "how it feels.", "what it gives.", "how it goes."),
)
_FILLER_ZH = (
    ("样子", "外形", "模样", "看上去", "整体", "风格"),
    ("朴素，", "简单，", "素净，", "清楚，", "安静，", "大方，"),
    ("用起来", "拿起来", "摆起来", "看起来", "收起来", "打理起来"),
    ("省心，", "顺手，", "方便，", "自在，", "轻松，", "利落，"),
    ("放在家里", "摆在桌上", "留在身边", "带在路上", "放进包里", "收在柜里"),
    ("或者送给朋友", "或者送给家人", "或者分给同事", "或者留给自己", "或者寄给老师", "或者带给邻居"),
    ("都很自然，", "都挺合适，", "都说得过去，", "都不突兀，", "都很妥帖，", "都让人安心，"),
    ("看一眼", "想一想", "问一声", "走近些", "停下来", "听人说"),
    ("就明白", "就知道", "就记得", "就认出", "就懂得", "就了解"),
    ("它是什么。", "它的用处。", "它的来历。", "它的名字。", "它的样子。", "它的好处。"),
)
_ANSWER = "We have read every word of this with care."
_ANSWER_ZH = "您的评价我们都认真看过了。"
_ANSWER_DE = "Wir haben jedes Wort davon mit Sorgfalt gelesen."


class Behaviour(StrEnum):
    """What the engine does with a request."""

    WRITE = "write"  # a text made of the prompt's facts
    SLOW = "slow"  # the same, a second later
    REFUSE = "refuse"  # an apology
    GARBAGE = "garbage"  # a text with a number that is not in the facts
    SAME = "same"  # a text that is the same whatever it is about, but for the name
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
    facts = _facts(prompt) or [("", "")]
    asked = _FACT.sub("", prompt)
    if into := _TRANSLATION.search(asked):
        return _translated(asked, is_chinese=_is_chinese(into.group()))
    return _formed(asked, facts, "".join(value for _, value in facts) or prompt)


def _formed(asked: str, facts: Sequence[tuple[str, str]], joined: str) -> str:
    """A title, a list, a line, an e-mail or prose, as it is asked for."""
    title, is_chinese = facts[0][1], _is_chinese(joined)
    if _TITLE.search(asked):
        return f"{title}一览" if is_chinese else f"The {title} at a glance"
    if _LIST.search(asked):
        return "\n".join(f"- {line}" for line in (title, *_clauses(joined, is_chinese=is_chinese)))
    if _SHORT.search(asked):
        first, _, last = _clauses(joined, is_chinese=is_chinese)
        return f"{title}，{first}，{last}。" if is_chinese else f"This is {title}. {first}."
    text = _prose(facts, joined)
    if _MAIL.search(asked):
        return f"主题：{title}\n\n{text}" if is_chinese else f"Subject: {title} for you\n\n{text}"
    return text


def _prose(facts: Sequence[tuple[str, str]], joined: str) -> str:
    title, *others = facts
    if _is_chinese(joined):
        said = "，".join(f"{name}是{value}" for name, value in others)
        filler = "".join(_drawn(_FILLER_ZH, joined))
        named = "，".join(filter(None, (title[1], said)))
        return f"{named}。{filler}" if named else filler
    text = f"This is {title[1] or 'it'}. {' '.join(_drawn(_FILLER, joined))}"
    said = ", ".join(value for name, value in others if name not in _UNSAID)
    return f"{text} Good to know: {said}." if said else text


def _clauses(subject: str, *, is_chinese: bool) -> list[str]:
    """Three pieces of the filler, without the marks at their ends."""
    words, joint = (_drawn(_FILLER_ZH, subject), "") if is_chinese else (_drawn(_FILLER, subject), " ")
    third = len(words) // 3
    return [joint.join(some).strip("，。,.") for some in (words[:third], words[third:-third], words[-third:])]


def _translated(asked: str, *, is_chinese: bool) -> str:
    """No translation: the numbers of the text with their units, in a sentence of the other language."""
    numbers = ", ".join(_NUMBER.findall(asked))
    text = _prose([("", "原文" if is_chinese else "the text")], "原文" if is_chinese else "text")
    return f"{text} {numbers}。" if is_chinese and numbers else f"{text} It says {numbers}." if numbers else text


def _facts(prompt: str) -> list[tuple[str, str]]:
    return [(name.strip(), value.strip(" .。")) for name, value in _FACT.findall(_MARKER.sub("", prompt))]


def _same(prompt: str) -> str:
    """What Behaviour.SAME says."""
    (_, title), *_ = _facts(prompt) or [("", "it")]
    return f"{title}，{_SAME_ZH}" if _is_chinese(title) else f"This is {title}. {_SAME}"


def _is_chinese(text: str) -> bool:
    return len(_HAN.findall(text)) * 2 > len(re.findall(r"\w", text))


def _drawn(slots: Sequence[Sequence[str]], subject: str) -> list[str]:
    """One of the words for each slot; the same ones for the same subject."""
    chance = hashlib.blake2b(subject.encode("utf-8", "replace")).digest()
    return [words[number % len(words)] for words, number in zip(slots, chance, strict=False)]


def _prompt(request: Request) -> str:
    return request.messages[-1].content if request.messages else request.plain


def _outcome(behaviour: Behaviour, prompt: str) -> Text:
    text = write(prompt)
    outcomes = {
        Behaviour.REFUSE: ("Sorry, I can't help with that.", Finish.STOP, ""),
        Behaviour.GARBAGE: (f"It weighs 98765 kg. {text}", Finish.STOP, ""),
        Behaviour.SAME: (_same(prompt), Finish.STOP, ""),
        Behaviour.CUT: (text[: len(text) // 2], Finish.LENGTH, ""),
        Behaviour.EMPTY: ("", Finish.STOP, ""),
        Behaviour.FAIL: ("", Finish.FAILED, "scripted to fail"),
    }
    said, finish, error = outcomes.get(behaviour, (text, Finish.STOP, ""))
    return Text(said, finish, len(said.split()), error=error)
