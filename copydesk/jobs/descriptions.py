"""Product descriptions. One chunk reads: claim it, ask the engine, judge what comes back, write it down."""

from collections.abc import Sequence
from dataclasses import dataclass

from copydesk import guards, prompts
from copydesk.engine.base import Engine
from copydesk.errors import ConfigurationError, MissingFact
from copydesk.jobs import chunks, recipes
from copydesk.jobs.chunks import Progress, Tally
from copydesk.jobs.judging import Judged
from copydesk.model import DESCRIPTION, Lane, Reason, Status, fingerprint
from copydesk.settings import Settings
from copydesk.store import Database, drafts, products, runs


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
