"""What every job shares whose texts are judged: a refused one is asked for again, and the best is kept for a person."""

from abc import abstractmethod
from dataclasses import dataclass, field

from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.jobs import chunks
from copydesk.jobs.chunks import Next
from copydesk.model import Lane, Reason, Status, Verdict
from copydesk.prompts import Prompt
from copydesk.settings import Sampling
from copydesk.store import drafts

ASK_AGAIN_TEMPERATURE, ASK_AGAIN_TOP_P = 0.8, 0.9
"""How a refused text is asked for again where the settings do not say how to sample."""


@dataclass(slots=True)
class Judged(chunks.Item):
    """One text on its way: what was asked last, and the best that came back so far."""

    model: str
    first_sampling: Sampling
    max_asks: int
    prompt: Prompt = field(init=False)
    sampling: Sampling = field(init=False)
    text: str = field(default="", init=False)
    reasons: tuple[Reason, ...] = field(default=(), init=False)
    text_sampling: Sampling | None = field(default=None, init=False)

    @abstractmethod
    def prompt_of_ask(self) -> Prompt:
        """What to ask the model now; `asks` counts how often it was asked before."""

    @abstractmethod
    def judged(self, said: str, *, finished: bool) -> tuple[str, tuple[Reason, ...]]:
        """The text as it would be used, and everything that stands against it."""

    def request(self, name: str, lane: Lane) -> Request:
        self.prompt = self.prompt_of_ask()
        self.sampling = sampling_for(self.first_sampling, self.asks)
        turns = tuple(Message(role, content) for role, content in self.prompt.turns)
        return Request(name, turns, self.prompt.plain, self.sampling, self.candidates, lane)

    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        text, reasons = self._verdict(completion)
        if Verdict(reasons).passed:
            return self._outcome(Status.READY, text, reasons, self.sampling)
        self._remember_if_better(text, reasons)
        if self.awaits_more:
            return Next.WAIT
        if self.asks < self.max_asks:
            return Next.ASK
        status = Status.HELD if self.text else Status.FAILED
        return self._outcome(status, self.text, self.reasons, self.text_sampling or self.sampling)

    def _verdict(self, completion: Completion) -> tuple[str, tuple[Reason, ...]]:
        if completion.finish is Finish.FAILED:
            return "", (chunks.engine_failed(completion),)
        return self.judged(completion.text, finished=completion.finish is Finish.STOP)

    def _remember_if_better(self, text: str, reasons: tuple[Reason, ...]) -> None:
        """Keeps, for the person who will look at it, the text that breaks the fewest rules; any text beats none."""
        if not self.reasons or _weight(self.text, self.reasons) > _weight(text, reasons):
            self.text, self.reasons, self.text_sampling = text, reasons, self.sampling

    def _outcome(self, status: Status, text: str, reasons: tuple[Reason, ...], sampling: Sampling) -> drafts.Outcome:
        return drafts.Outcome(
            draft=self.draft,
            status=status,
            text=text,
            reasons=reasons,
            asks=self.asks,
            model=self.model,
            prompt=self.prompt.version,
            sampling=sampling.model_dump(),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
        )


def _weight(text: str, reasons: tuple[Reason, ...]) -> tuple[bool, int, int]:
    return not text, sum(not reason.warns for reason in reasons), len(reasons)


def sampling_for(base: Sampling, asks_before: int) -> Sampling:
    """How to sample the next ask: the settings' own way first, then warm, with another seed each time.

    Every later ask is sampled alike, so that products on their second and on their fifth share a batch.
    """
    if asks_before == 0:
        return base
    return base.model_copy(
        update={
            "temperature": base.temperature or ASK_AGAIN_TEMPERATURE,
            "top_p": base.top_p or ASK_AGAIN_TOP_P,
            "seed": None if base.seed is None else base.seed + asks_before,
        }
    )
