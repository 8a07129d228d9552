"""Batch files: chat requests as they came, answered as the model answers: no prompt of ours, no guard."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from copydesk.engine.base import Completion, Engine, Finish, Message, Request
from copydesk.jobs import chunks
from copydesk.jobs.chunks import Next, Progress, Tally
from copydesk.model import Lane, Reason, Status
from copydesk.settings import Sampling, Settings
from copydesk.store import Database, batches, drafts, runs


@dataclass(frozen=True, slots=True)
class Chat:
    """What one request asks: its turns, how to sample, and how many answers it wants."""

    messages: tuple[Message, ...]
    sampling: Sampling
    choices: int = 1

    def as_json(self) -> dict[str, Any]:
        turns = [{"role": message.role, "content": message.content} for message in self.messages]
        return {"messages": turns, "sampling": self.sampling.model_dump(), "choices": self.choices}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Chat":
        turns = tuple(Message(**turn) for turn in data["messages"])
        return cls(turns, Sampling(**data["sampling"]), data["choices"])


def recipe(settings: Settings) -> dict[str, Any]:
    """What, besides the file, decides the answers."""
    return {"engine": settings.engine, "model": settings.model, "sampling": settings.sampling.model_dump()}


def plan(
    database: Database,
    settings: Settings,
    run_key: str,
    lines: Iterable[batches.Line],
    lane: Lane = Lane.CATALOG,
    budget: runs.Budget = runs.NO_BUDGET,
) -> runs.Planned:
    """Write a run of these lines; nothing is rung yet. Of a key used before, the lines are not read."""
    order = batches.Order(run_key, recipe(settings), settings.chunk_size, lane, budget)
    with database.write() as connection:
        return batches.plan(connection, order, lines)


def write_chunk(
    database: Database, settings: Settings, engine: Engine, run: int, chunk: int, progress: Progress
) -> Tally:
    """Answer every request of a chunk that nobody else holds.

    Raises:
        NotFound: there is no such run.
        ConfigurationError: the run was planned for another model than this worker's settings name.
    """
    return chunks.write(
        database,
        settings,
        engine,
        run,
        chunk,
        claim=batches.claim,
        read=lambda claimed: _read(claimed, engine.model),
        lane=Lane(chunks.asked(database, settings, run).lane),
        progress=progress,
    )


def _read(claimed: batches.Claimed, model: str) -> "_Item":
    chat = Chat.from_json(claimed.body)
    return _Item(claimed.id, chat.choices, chat, model)


@dataclass(slots=True)
class _Item(chunks.Item):
    """One request: answered once every choice of it has come, or one has failed."""

    chat: Chat
    model: str
    choices: dict[int, dict[str, str]] = field(default_factory=dict)

    def request(self, name: str, lane: Lane) -> Request:
        turns = self.chat.messages
        plain = "\n\n".join(turn.content for turn in turns)
        return Request(name, turns, plain, self.chat.sampling, self.candidates, lane)

    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        if completion.finish is Finish.FAILED:
            return self._outcome(Status.FAILED, chunks.engine_failed(completion))
        text = completion.text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text for a file
        self.choices[completion.index] = {"text": text, "finish": completion.finish.value}
        return Next.WAIT if self.awaits_more else self._outcome(Status.READY)

    def _outcome(self, status: Status, *reasons: Reason) -> drafts.Outcome:
        return drafts.Outcome(
            draft=self.draft,
            status=status,
            reasons=reasons,
            asks=self.asks,
            model=self.model,
            sampling=self.chat.sampling.model_dump(),
            prompt_tokens=self.prompt_tokens // self.answers,  # every choice is of one prompt
            completion_tokens=self.completion_tokens,
            choices=[self.choices[index] for index in sorted(self.choices)] if status is Status.READY else None,
        )
