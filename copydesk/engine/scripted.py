"""An engine without a model, for tests and benchmarks: it writes a plausible text, or misbehaves on demand.

A marker anywhere in a product's facts or in the prompt says how: `[[scripted:refuse]]` always, `[[scripted:refuse*2]]`
the first two times that product is asked for, `[[scripted:slow]]` and so on; see `Behaviour`.
"""

import logging
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from queue import SimpleQueue

from copydesk.engine.base import Completion, Deliver, Finish, Request

log = logging.getLogger(__name__)

# The prompts turn square brackets in facts into round ones, so a marker in a catalog arrives as ((scripted:refuse)).
_MARKER = re.compile(r"(?:\[\[|\(\()scripted:(?P<behaviour>[a-z]+)(?:\*(?P<times>\d+))?(?:\]\]|\)\))")
_FACT = re.compile(r"^[-*] ?(?P<name>[^:：\n]+?) ?[:：] ?(?P<value>.+)$", re.MULTILINE)
_HAN = re.compile(r"[\u3400-\u9fff]")

SLOW_SECONDS = 1.0
_UNSAID = {"Brand", "Category", "Care", "Feature", "Type", "Tags"}  # the guards refuse them as mere filing
_FILLER = "It is a plain choice for every day, easy to know by its name, and easy to like for just what it is."
_FILLER_ZH = "样子朴素，用起来简单，放在家里或者送给朋友都很自然，看一眼就明白它是什么。"


class Behaviour(StrEnum):
    """What the engine does with a request."""

    WRITE = "write"  # a text made of the prompt's facts
    SLOW = "slow"  # the same, a second later
    REFUSE = "refuse"  # an apology
    GARBAGE = "garbage"  # a text with a number that is not in the facts
    CUT = "cut"  # half a text, ended by the token limit
    EMPTY = "empty"  # nothing, ended by the model
    FAIL = "fail"  # FAILED
    OOM = "oom"  # FAILED, for want of memory
    HANG = "hang"  # nothing is delivered until the engine is closed
    CRASH = "crash"  # the process dies of SIGKILL


class ScriptedEngine:
    """Answers at once or after `delay_seconds` per request; `behave` overrides the markers where it returns something.

    `calls` counts the requests that were taken up.
    """

    def __init__(self, delay_seconds: float = 0.0, behave: Callable[[Request], Behaviour | None] | None = None) -> None:
        self.calls = 0
        self._delay_seconds = delay_seconds
        self._behave = behave
        self._asked: Counter[str] = Counter()
        self._hanging: list[tuple[Request, Deliver]] = []
        self._queue: SimpleQueue[tuple[Request, Deliver] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="copydesk-engine", daemon=True)
        self._thread.start()

    @property
    def model(self) -> str:
        """The model as drafts record it."""
        return "scripted"

    def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
        """Queue requests and return at once; see the protocol."""
        with self._lock:  # so that nothing is queued behind the None that close() puts there
            if self._closed.is_set():
                raise RuntimeError("the engine is closed: open another one")
            for request in requests:
                self._queue.put((request, deliver))

    def close(self) -> None:
        """Deliver what still waits or hangs as CLOSED. May be called twice."""
        with self._lock:
            self._closed.set()
            self._queue.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._closed.is_set():
                self._hanging.append(item)
            else:
                self._answer(*item)
        for request, deliver in self._hanging:
            _deliver(request, deliver, "", Finish.CLOSED, "the engine was closed before this request's turn")

    def _answer(self, request: Request, deliver: Deliver) -> None:
        self.calls += 1
        try:
            behaviour = self._behaviour(request)
        except Exception as error:  # a misspelled marker, or a `behave` that raises
            _deliver(request, deliver, "", Finish.FAILED, f"the script cannot be followed: {error}")
            return
        self._closed.wait(self._delay_seconds + (SLOW_SECONDS if behaviour is Behaviour.SLOW else 0))
        if behaviour is Behaviour.HANG:
            self._hanging.append((request, deliver))
        elif behaviour is Behaviour.CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            _deliver(request, deliver, *_outcome(behaviour, _prompt(request)))

    def _behaviour(self, request: Request) -> Behaviour:
        prompt = _prompt(request)
        product = str(_FACT.findall(prompt)) or prompt  # whatever is said around them
        self._asked[product] += 1
        marker = _MARKER.search(prompt)
        if self._behave is not None and (chosen := self._behave(request)):
            return chosen
        if marker is None or self._asked[product] > int(marker["times"] or self._asked[product]):
            return Behaviour.WRITE
        return Behaviour(marker["behaviour"])


def write(prompt: str) -> str:
    """A text that says only what the facts of a prompt say, in their language; the same for the same prompt."""
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


def _outcome(behaviour: Behaviour, prompt: str) -> tuple[str, Finish, str]:
    text = write(prompt)
    outcomes = {
        Behaviour.REFUSE: ("Sorry, I can't help with that.", Finish.STOP, ""),
        Behaviour.GARBAGE: (f"{text} It weighs 98765 kg.", Finish.STOP, ""),
        Behaviour.CUT: (text[: len(text) // 2], Finish.LENGTH, ""),
        Behaviour.EMPTY: ("", Finish.STOP, ""),
        Behaviour.FAIL: ("", Finish.FAILED, "scripted to fail"),
        Behaviour.OOM: ("", Finish.FAILED, "OutOfMemoryError: CUDA out of memory (scripted)"),
    }
    return outcomes.get(behaviour, (text, Finish.STOP, ""))


def _deliver(request: Request, deliver: Deliver, text: str, finish: Finish, error: str) -> None:
    prompt_tokens, tokens = len(_prompt(request).split()), len(text.split())
    for index in range(request.candidates):
        try:
            deliver(Completion(request.id, index, text, finish, prompt_tokens, tokens, error))
        except Exception:  # the caller's mistake must not cost the other callers their engine
            log.exception("delivering a completion of request %s raised", request.id)
