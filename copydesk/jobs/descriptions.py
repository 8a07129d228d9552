"""Product descriptions. One chunk reads: claim it, ask the engine, judge what comes back, write it down."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from copydesk import guards, prompts
from copydesk.engine.base import Engine
from copydesk.errors import ConfigurationError, MissingFact
from copydesk.jobs import chunks, recipes
from copydesk.jobs.chunks import Progress, Tally
from copydesk.jobs.judging import Judged
from copydesk.model import DESCRIPTION, Facts, Lane, Reason, Status, fingerprint
from copydesk.settings import Settings
from copydesk.store import Database, drafts, products, runs

LOOKED_AT = 200
"""Products whose prompts an estimate is guessed from where no run has been timed yet."""

CHARACTERS_OF_A_TOKEN, ASKS_GUESSED = 4, 1.5
"""Of Latin script; a Chinese character is about a token of its own. The example catalog takes 2 to 3 asks a product."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products of a shop are to be described, and how.

    Args:
        everything: also what has not changed.
        skus: only these; None for all.
        candidates: texts per ask; None for the settings' number.
        limit: at most this many products.
        lane: who waits for it.
        budget: what the run may cost.
    """

    everything: bool = False
    skus: Sequence[str] | None = None
    candidates: int | None = None
    limit: int | None = None
    lane: Lane = Lane.CATALOG
    budget: runs.Budget = runs.NO_BUDGET


EVERYTHING_CHANGED = Wanted()


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would take. Minutes are None where no earlier run with this model says; `runs` that many do.

    Tokens are those in and out together; `skipped` counts, by reason, the products that get no draft.
    """

    items: int
    skipped: Mapping[str, int]
    tokens: int
    minutes: float | None
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(recipes.Recipe):
    """Everything but the facts that decides a text."""

    candidates: int

    @classmethod
    def of(cls, settings: Settings, shop: str, candidates: int | None = None) -> "Recipe":
        return cls(
            engine=settings.engine,
            model=settings.model,
            sampling=settings.sampling,
            candidates=candidates or settings.candidates,
            max_asks=settings.max_asks,
            rules=settings.rules,
            voice=settings.shop(shop).voice,
        )

    def hashes(self) -> dict[str, str]:
        """Per language with a prompt, the fingerprint of the recipe, the prompt's text and the guards."""
        return {
            language: fingerprint([self.as_json(), prompts.digest(DESCRIPTION, language), guards.digest(self.rules)])
            for language in prompts.languages(DESCRIPTION)
        }


def plan(
    database: Database, settings: Settings, shop: str, run_key: str, wanted: Wanted = EVERYTHING_CHANGED
) -> runs.Planned:
    """Write a run and its drafts; nothing is rung yet. Raises NotFound for an unknown shop or sku."""
    with database.write() as connection:
        return runs.plan(connection, *_order(connection, settings, shop, run_key, wanted))


def estimate(database: Database, settings: Settings, shop: str, wanted: Wanted) -> Estimate:
    """What plan would enqueue, and about what that costs; nothing is stored. Raises as plan does."""
    with database.read() as connection:
        shop_id, order = _order(connection, settings, shop, "", wanted)
        skipped = runs.survey(connection, shop_id, order)
        due = skipped.pop("due", 0)
        items = due if wanted.limit is None else min(due, wanted.limit)
        spent = runs.spent_by(connection, DESCRIPTION, settings.model)
        if not spent.items:
            some = runs.due_facts(connection, shop_id, order, LOOKED_AT)
            return Estimate(items, skipped, guessed_tokens(some, settings) * items, None, 0)
    return Estimate(
        items, skipped, round(spent.tokens / spent.items * items), spent.seconds / spent.items * items / 60, spent.runs
    )


def guessed_tokens(some: Sequence[Facts], settings: Settings) -> int:
    """Tokens that one product takes, by the length of its prompt and the longest answer; 0 without products."""
    lengths = []
    for facts in some:
        with contextlib.suppress(MissingFact, ConfigurationError):
            lengths.append(sum(_tokens(content) for _, content in prompts.render(DESCRIPTION, facts).turns))
    if not lengths:
        return 0
    return round(ASKS_GUESSED * (sum(lengths) / len(lengths) + settings.candidates * settings.sampling.max_tokens))


def _tokens(text: str) -> float:
    chinese = sum(character > "\u2e7f" for character in text)
    return chinese + (len(text) - chinese) / CHARACTERS_OF_A_TOKEN


def _order(connection: Any, settings: Settings, shop: str, run_key: str, wanted: Wanted) -> tuple[int, runs.Order]:
    recipe = Recipe.of(settings, shop, wanted.candidates)
    shop_id = products.find_shop(connection, shop)
    products.check_known(connection, shop_id, wanted.skus or ())
    order = runs.Order(
        run_key=run_key,
        recipe=recipe.as_json(),
        recipe_hashes=recipe.hashes(),
        chunk_size=settings.chunk_size,
        everything=wanted.everything,
        skus=wanted.skus,
        limit=wanted.limit,
        auto_publish=settings.shop(shop).auto_publish,
        lane=wanted.lane,
        budget=wanted.budget,
    )
    return shop_id, order


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
        settings,
        engine,
        run,
        chunk,
        claim=drafts.claim,
        read=lambda claimed: _read(claimed, recipe, engine.model),
        lane=Lane(asked.lane),
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
        return _Item(claimed.id, recipe.candidates, model, recipe.sampling, recipe.max_asks, claimed, recipe, prompt)
    return drafts.Outcome(claimed.id, Status.HELD, reasons=(reason,))


@dataclass(slots=True)
class _Item(Judged):
    """One product, asked for by the same prompt each time."""

    claimed: drafts.Claimed
    recipe: Recipe
    fixed: prompts.Prompt

    def prompt_of_ask(self) -> prompts.Prompt:
        return self.fixed

    def judged(self, said: str, *, finished: bool) -> tuple[str, tuple[Reason, ...]]:
        text = guards.tidy(said)
        verdict = guards.judge(
            text,
            self.claimed.facts,
            self.recipe.rules,
            finished=finished,
            echoes=self.fixed.echoes,
            voice=self.recipe.voice,
        )
        return text, verdict.reasons
