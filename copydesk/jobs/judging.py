"""What every job shares whose texts are judged: the best of an ask is taken, else it asks again and keeps the best."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace

from copydesk import guards
from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.jobs import chunks, ranking
from copydesk.jobs.chunks import Next
from copydesk.jobs.ranking import Candidate, Neighbours
from copydesk.jobs.recipes import Recipe
from copydesk.model import Facts, Lane, Reason, Status
from copydesk.prompts import Prompt, again
from copydesk.settings import Sampling
from copydesk.store import drafts

ASK_AGAIN_TEMPERATURE, ASK_AGAIN_TOP_P = 0.8, 0.9
"""How a refused text is asked for again where the settings do not say how to sample."""

STUB_FROM_ASK = 3
"""The ask from which on a single sentence that is left of an answer will do; before, a fuller text is hoped for."""


@dataclass(slots=True)
class Judged(chunks.Item):
    """One text on its way: what was asked last, and the best that came back so far.

    Candidates are ranked by `facts`, what may be said, and by `neighbours`, the texts of the chunk that were taken.
    """

    model: str
    recipe: Recipe
    facts: Facts
    neighbours: Neighbours
    cut_back: bool = field(default=False, kw_only=True)  # to the sentences before a refused end
    resampled: int = field(default=0, kw_only=True)  # how often it was written before
    prompt: Prompt = field(init=False)
    sampling: Sampling = field(init=False)
    of_this_ask: list[Candidate] = field(default_factory=list, init=False)
    kept: Candidate | None = field(default=None, init=False)
    refused_for: tuple[Reason, ...] = field(default=(), init=False)

    @abstractmethod
    def prompt_of_ask(self) -> Prompt:
        """What to ask the model now; `asks` counts how often it was asked before."""

    @abstractmethod
    def judged(self, said: str, *, finished: bool) -> tuple[str, tuple[Reason, ...]]:
        """The text as it would be used, and everything that stands against it."""

    def request(self, name: str, lane: Lane) -> Request:
        self.prompt = self.prompt_of_ask()
        if names_reasons(self.recipe.name_reasons, self.asks):
            self.prompt = again(self.prompt, self.refused_for, self.facts.language)
        self.sampling = sampling_for(self.recipe.sampling, self.resampled * self.recipe.max_asks + self.asks)
        turns = tuple(Message(role, content) for role, content in self.prompt.turns)
        return Request(name, turns, self.prompt.plain, self.sampling, self.candidates, lane)

    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        self.of_this_ask.append(self._candidate(completion))
        if self.awaits_more:
            return Next.WAIT
        best = ranking.best(self.of_this_ask, self.facts, self.neighbours)
        self.of_this_ask.clear()
        self.refused_for = best.reasons if best.text else ()
        self.kept = ranking.best([self.kept, best], self.facts, self.neighbours) if self.kept else best
        if self.kept.passed and not self._hopes_for_more(self.kept):
            return self._taken(self.kept)
        if self.asks < self.recipe.max_asks:
            return Next.ASK
        return self._outcome(Status.HELD if self.kept.text else Status.FAILED, self.kept)

    def _hopes_for_more(self, kept: Candidate) -> bool:
        return kept.is_stub and self.asks < min(STUB_FROM_ASK, self.recipe.max_asks)

    def _candidate(self, completion: Completion) -> Candidate:
        if completion.finish is Finish.FAILED:
            return Candidate("", (chunks.engine_failed(completion),), self.sampling, self.prompt.version)
        whole = self._judged(completion.text, finished=completion.finish is Finish.STOP)
        if whole.passed or not self.cut_back:
            return whole
        return self._cut_back(whole)

    def _judged(self, said: str, *, finished: bool) -> Candidate:
        text, reasons = self.judged(said, finished=finished)
        return Candidate(text, reasons, self.sampling, self.prompt.version)

    def _cut_back(self, whole: Candidate) -> Candidate:
        """The longest beginning, in whole sentences, that passes; where none does, the best of them all."""
        tried = [whole]
        beginnings = list(guards.beginnings(whole.text))
        for left, beginning in zip(range(len(beginnings), 0, -1), beginnings, strict=True):
            tried.append(replace(self._judged(beginning, finished=True), is_stub=left == 1))
            if tried[-1].passed:
                return tried[-1]
        return ranking.best(tried, self.facts, self.neighbours)

    def _taken(self, best: Candidate) -> drafts.Outcome:
        if self.candidates > 1:  # else nothing is ever chosen
            self.neighbours.take(best.text, self.facts)
        return self._outcome(Status.READY, best)

    def _outcome(self, status: Status, chosen: Candidate) -> drafts.Outcome:
        return drafts.Outcome(
            draft=self.draft,
            status=status,
            text=chosen.text,
            reasons=chosen.reasons,
            asks=self.asks,
            model=self.model,
            prompt=chosen.prompt,
            sampling=chosen.sampling.model_dump(),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
        )


def names_reasons(how: str, asks_before: int) -> bool:
    """Does this ask say what was wrong with the last answer? `how` as in Settings.name_reasons."""
    return asks_before > 0 and (how == "always" or (how == "alternate" and asks_before % 2 == 1))


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
