"""Product descriptions. One chunk reads: claim it, ask the engine, judge what comes back, write it down."""

import contextlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from copydesk import guards, prompts
from copydesk.engine.base import Completion, Engine, Finish, Message, Request
from copydesk.errors import ConfigurationError, MissingFact, StoreUnavailable
from copydesk.model import DESCRIPTION, Reason, Status, fingerprint
from copydesk.settings import Rules, Sampling, Settings
from copydesk.store import Database, drafts, products, runs

Progress = Callable[[str], None]
"""Told how a chunk goes, about once a second: "12/32 ok, 1 held, 0 failed"."""

SETTLE_AT_MOST_EVERY_SECONDS = 0.5
TELL_EVERY_SECONDS = 1.0

SETTLE_PAUSES_SECONDS = (0.2, 1.0, 5.0)
"""Before a result is tried to be written again; together well within a lease."""

ASK_AGAIN_TEMPERATURE, ASK_AGAIN_TOP_P = 0.8, 0.9
"""How a refused product is asked for again where the settings do not say how to sample."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything but the facts that decides a text; stored with the run, so that a run is of one piece."""

    engine: str
    model: str
    sampling: Sampling
    candidates: int
    max_asks: int
    rules: Rules
    voice: str

    @classmethod
    def of(cls, settings: Settings, shop: str, candidates: int | None = None) -> "Recipe":
        return cls(
            settings.engine,
            settings.model,
            settings.sampling,
            candidates or settings.candidates,
            settings.max_asks,
            settings.rules,
            settings.shop(shop).voice,
        )

    def as_json(self) -> dict[str, Any]:
        own = {"sampling": self.sampling.model_dump(), "rules": self.rules.model_dump()}
        return {name: own.get(name, getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recipe":
        return cls(**{**data, "sampling": Sampling(**data["sampling"]), "rules": Rules(**data["rules"])})

    def hashes(self) -> dict[str, str]:
        """Per language with a prompt, the fingerprint of the recipe, the prompt's text and the guards."""
        return {
            language: fingerprint([self.as_json(), prompts.digest(DESCRIPTION, language), guards.digest(self.rules)])
            for language in prompts.languages(DESCRIPTION)
        }


@dataclass(slots=True)
class Tally:
    """How a chunk stands."""

    total: int = 0
    ready: int = 0
    held: int = 0
    failed: int = 0
    stale: int = 0

    def __str__(self) -> str:
        return f"{self.ready}/{self.total} ok, {self.held} held, {self.failed} failed"


def plan(
    database: Database,
    settings: Settings,
    shop: str,
    run_key: str,
    *,
    everything: bool = False,
    skus: Sequence[str] | None = None,
    candidates: int | None = None,
    limit: int | None = None,
    auto_publish: bool = False,
) -> runs.Planned:
    """Write a run and its drafts; nothing is rung yet. Raises NotFound for an unknown shop or sku."""
    recipe = Recipe.of(settings, shop, candidates)
    order = runs.Order(
        run_key=run_key,
        recipe=recipe.as_json(),
        recipe_hashes=recipe.hashes(),
        chunk_size=settings.chunk_size,
        everything=everything,
        skus=skus,
        limit=limit,
        auto_publish=auto_publish,
    )
    with database.write() as connection:
        shop_id = products.find_shop(connection, shop)
        products.check_known(connection, shop_id, skus or ())
        return runs.plan(connection, shop_id, order)


def check_recipe(database: Database, settings: Settings, run: int) -> None:
    """Raises ConfigurationError when a run was planned for another model than this worker's settings name."""
    with database.read() as connection:
        planned = Recipe.from_json(runs.recipe(connection, run)[1])
    if (planned.engine, planned.model) != (settings.engine, settings.model):
        raise ConfigurationError(
            f"run {run} was planned for {planned.model} on {planned.engine}, this worker has {settings.model} on "
            f"{settings.engine}: give producer and worker the same COPYDESK_MODEL and COPYDESK_ENGINE"
        )


def write_chunk(
    database: Database, engine: Engine, run: int, chunk: int, *, lease_seconds: float, progress: Progress
) -> Tally:
    """Write every draft of a chunk that nobody else holds; does nothing when there is none.

    An error ends the lease at once, so that the next sweep gives the drafts to another worker.
    """
    with database.read() as connection:
        recipe = Recipe.from_json(runs.recipe(connection, run)[1])
    tally = Tally()
    lease = _Lease(database, uuid.uuid4().hex, lease_seconds)
    try:
        # Again, for the successors of drafts that went stale under our hands.
        while claimed := lease.claim(run, chunk):
            tally.total += len(claimed)
            _Chunk(engine, recipe, lease, tally, progress).write(claimed)
    except BaseException:
        with contextlib.suppress(StoreUnavailable):  # then the lease runs out by itself
            lease.let_go()
        raise
    with database.write() as connection:
        runs.close_chunks(connection, only=(run, chunk))
        runs.finalize(connection, run)
    return tally


@dataclass(slots=True)
class _Lease:
    """This worker's hold on the drafts of one chunk."""

    database: Database
    token: str
    seconds: float
    renewed_at: float = 0.0

    def claim(self, run: int, chunk: int) -> list[drafts.Claimed]:
        self.renewed_at = time.monotonic()
        with self.database.write() as connection:
            return drafts.claim(connection, run, chunk, token=self.token, lease_seconds=self.seconds)

    def renew_when_due(self) -> None:
        if time.monotonic() - self.renewed_at < self.seconds / 3:
            return
        self.renewed_at = time.monotonic()
        with self.database.write() as connection:
            drafts.renew(connection, self.token, self.seconds)

    def settle(self, outcomes: Sequence[drafts.Outcome]) -> drafts.Settled:
        """Tried again when the database is away for a moment: what was settled already is merely fenced out."""
        pauses = iter(SETTLE_PAUSES_SECONDS)
        while True:
            try:
                with self.database.write() as connection:
                    return drafts.settle(connection, self.token, outcomes)
            except StoreUnavailable:
                pause_seconds = next(pauses, None)
                if pause_seconds is None:
                    raise
                time.sleep(pause_seconds)

    def let_go(self) -> None:
        with self.database.write() as connection:
            drafts.let_go(connection, self.token)


@dataclass(slots=True)
class _Item:
    """One draft on its way: what was asked so far, and the best text that came back."""

    claimed: drafts.Claimed
    prompt: prompts.Prompt
    sampling: Sampling
    asks: int = 0
    answers: int = 0  # to the ask under way
    text: str = ""
    reasons: tuple[Reason, ...] = ()
    text_sampling: Sampling | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def remember_if_better(self, text: str, reasons: tuple[Reason, ...]) -> None:
        """Keeps, for the person who will look at it, the text that breaks the fewest rules; any text beats none."""
        if not self.reasons or (not self.text, len(self.reasons)) > (not text, len(reasons)):
            self.text, self.reasons, self.text_sampling = text, reasons, self.sampling


@dataclass(slots=True)
class _Chunk:
    """The claimed drafts of one chunk, between the engine and the ledger."""

    engine: Engine
    recipe: Recipe
    lease: _Lease
    tally: Tally
    progress: Progress
    items: dict[str, _Item] = field(default_factory=dict)
    outcomes: list[drafts.Outcome] = field(default_factory=list)
    inbox: SimpleQueue[Completion] = field(default_factory=SimpleQueue)

    def write(self, claimed: Sequence[drafts.Claimed]) -> None:
        self._ask([item for item in map(self._read, claimed) if item is not None])
        settled_at = told_at = time.monotonic()
        while self.items:
            self._receive()
            self.lease.renew_when_due()
            now = time.monotonic()
            if now - settled_at >= SETTLE_AT_MOST_EVERY_SECONDS:
                self._settle()
                settled_at = now
            if now - told_at >= TELL_EVERY_SECONDS:
                self.progress(str(self.tally))
                told_at = now
        self._settle()
        self.progress(str(self.tally))

    def _read(self, claimed: drafts.Claimed) -> _Item | None:
        try:
            prompt = prompts.render(DESCRIPTION, claimed.facts, self.recipe.voice)
        except MissingFact as missing:
            reason = Reason("facts.missing", str(missing), missing.fact)
        except ConfigurationError as error:  # the product's language changed to one without a prompt
            reason = Reason("prompt.missing", str(error), claimed.facts.language)
        else:
            return _Item(claimed, prompt, self.recipe.sampling)
        self.outcomes.append(drafts.Outcome(claimed.id, Status.HELD, reasons=(reason,)))
        return None

    def _ask(self, items: Sequence[_Item]) -> None:
        for item in items:
            item.sampling = sampling_for(self.recipe.sampling, item.asks)
            item.asks += 1
            item.answers = 0
            self.items[str(item.claimed.id)] = item
        if items:
            self.engine.submit([self._request(item) for item in items], self.inbox.put)

    def _request(self, item: _Item) -> Request:
        turns = tuple(Message(role, content) for role, content in item.prompt.turns)
        return Request(str(item.claimed.id), turns, item.prompt.plain, item.sampling, self.recipe.candidates)

    def _receive(self) -> None:
        try:
            completion = self.inbox.get(timeout=SETTLE_AT_MOST_EVERY_SECONDS)
        except Empty:
            return
        if completion.finish is Finish.CLOSED:
            raise RuntimeError("the engine was closed while this chunk was being written; another worker takes it up")
        item = self.items.get(completion.request_id)
        if item is not None:  # a candidate that comes after an accepted one is not needed
            self._judge(item, completion)

    def _judge(self, item: _Item, completion: Completion) -> None:
        item.answers += 1
        item.prompt_tokens += completion.prompt_tokens
        item.completion_tokens += completion.completion_tokens
        text, reasons = self._verdict(item, completion)
        if not reasons:
            self._finish(item, Status.READY, text)
            return
        item.remember_if_better(text, reasons)
        if item.answers < self.recipe.candidates:
            return
        if item.asks < self.recipe.max_asks:
            self._ask([item])
        else:
            self._finish(item, Status.HELD if item.text else Status.FAILED, item.text, item.reasons)

    def _verdict(self, item: _Item, completion: Completion) -> tuple[str, tuple[Reason, ...]]:
        if completion.finish is Finish.FAILED:
            return "", (Reason("engine.failed", f"the model could not answer: {completion.error}"),)
        text = guards.tidy(completion.text)
        verdict = guards.judge(
            text,
            item.claimed.facts,
            self.recipe.rules,
            finished=completion.finish is Finish.STOP,
            echoes=item.prompt.echoes,
            voice=self.recipe.voice,
        )
        return text, verdict.reasons

    def _finish(self, item: _Item, status: Status, text: str, reasons: tuple[Reason, ...] = ()) -> None:
        del self.items[str(item.claimed.id)]
        self.outcomes.append(
            drafts.Outcome(
                draft=item.claimed.id,
                status=status,
                text=text,
                reasons=reasons,
                asks=item.asks,
                model=self.engine.model,
                prompt=item.prompt.version,
                sampling=(
                    item.sampling if status is Status.READY else item.text_sampling or item.sampling
                ).model_dump(),
                prompt_tokens=item.prompt_tokens,
                completion_tokens=item.completion_tokens,
            )
        )

    def _settle(self) -> None:
        if not self.outcomes:
            return
        settled = self.lease.settle(self.outcomes)
        for outcome in self.outcomes:
            if outcome.draft in settled.accepted:
                setattr(self.tally, outcome.status.value, getattr(self.tally, outcome.status.value) + 1)
        self.tally.stale += settled.stale
        self.outcomes.clear()


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
