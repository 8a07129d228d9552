"""Product descriptions. One chunk reads: claim it, ask the engine, judge what comes back, write it down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from copydesk import guards, prompts
from copydesk.engine.base import Completion, Engine, Finish, Message, Request
from copydesk.errors import ConfigurationError, MissingFact
from copydesk.jobs import chunks
from copydesk.jobs.chunks import Next, Progress, Tally
from copydesk.model import DESCRIPTION, Lane, Reason, Status, fingerprint
from copydesk.settings import Rules, Sampling, Settings
from copydesk.store import Database, drafts, products, runs

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
    lane: Lane = Lane.CATALOG,
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
        lane=lane,
    )
    with database.write() as connection:
        shop_id = products.find_shop(connection, shop)
        products.check_known(connection, shop_id, skus or ())
        return runs.plan(connection, shop_id, order)


def write_chunk(
    database: Database, settings: Settings, engine: Engine, run: int, chunk: int, progress: Progress
) -> Tally:
    """Write every draft of a chunk that nobody else holds, by the run's own recipe.

    Raises:
        NotFound: there is no such run.
        ConfigurationError: the run was planned for another model than this worker's settings name.
    """
    asked = chunks.asked(database, settings, run)
    recipe = Recipe.from_json(asked.recipe)
    return chunks.write(
        database,
        engine,
        run,
        chunk,
        claim=drafts.claim,
        read=lambda claimed: _read(claimed, recipe, engine.model),
        lane=Lane(asked.lane),
        lease_seconds=settings.lease_seconds,
        progress=progress,
    )


def _read(claimed: drafts.Claimed, recipe: Recipe, model: str) -> "_Item | drafts.Outcome":
    try:
        prompt = prompts.render(DESCRIPTION, claimed.facts, recipe.voice)
    except MissingFact as missing:
        reason = Reason("facts.missing", str(missing), missing.fact)
    except ConfigurationError as error:  # the product's language changed to one without a prompt
        reason = Reason("prompt.missing", str(error), claimed.facts.language)
    else:
        return _Item(claimed.id, recipe.candidates, claimed, recipe, model, prompt, recipe.sampling)
    return drafts.Outcome(claimed.id, Status.HELD, reasons=(reason,))


@dataclass(slots=True)
class _Item(chunks.Item):
    """One product: what was asked so far, and the best text that came back."""

    claimed: drafts.Claimed
    recipe: Recipe
    model: str
    prompt: prompts.Prompt
    sampling: Sampling
    text: str = ""
    reasons: tuple[Reason, ...] = ()
    text_sampling: Sampling | None = None

    def request(self, name: str, lane: Lane) -> Request:
        self.sampling = sampling_for(self.recipe.sampling, self.asks)
        turns = tuple(Message(role, content) for role, content in self.prompt.turns)
        return Request(name, turns, self.prompt.plain, self.sampling, self.candidates, lane)

    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        text, reasons = self._verdict(completion)
        if not reasons:
            return self._outcome(Status.READY, text, (), self.sampling)
        self._remember_if_better(text, reasons)
        if self.awaits_more:
            return Next.WAIT
        if self.asks < self.recipe.max_asks:
            return Next.ASK
        status = Status.HELD if self.text else Status.FAILED
        return self._outcome(status, self.text, self.reasons, self.text_sampling or self.sampling)

    def _verdict(self, completion: Completion) -> tuple[str, tuple[Reason, ...]]:
        if completion.finish is Finish.FAILED:
            return "", (chunks.engine_failed(completion),)
        text = guards.tidy(completion.text)
        verdict = guards.judge(
            text,
            self.claimed.facts,
            self.recipe.rules,
            finished=completion.finish is Finish.STOP,
            echoes=self.prompt.echoes,
            voice=self.recipe.voice,
        )
        return text, verdict.reasons

    def _remember_if_better(self, text: str, reasons: tuple[Reason, ...]) -> None:
        """Keeps, for the person who will look at it, the text that breaks the fewest rules; any text beats none."""
        if not self.reasons or (not self.text, len(self.reasons)) > (not text, len(reasons)):
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
