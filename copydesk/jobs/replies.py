"""Replies to reviews. One chunk reads: claim it, ask the engine, judge what comes back, write it down.

Routing comes before everything here: what a person has to answer never waits in a chunk.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from copydesk import guards, prompts
from copydesk.engine.base import Engine
from copydesk.guards import ReviewFacts
from copydesk.jobs import chunks, recipes
from copydesk.jobs.chunks import Progress, Tally
from copydesk.jobs.judging import Judged
from copydesk.jobs.ranking import Neighbours
from copydesk.model import REPLY, Facts, Lane, Polarity, Reason, Status, fingerprint
from copydesk.settings import Settings
from copydesk.store import Database, drafts, products, replies, runs

REPLIES_IN_CHUNK = 16
"""At most: a chunk is what waits when a run is planned, so that replies share a batch under load and go alone else."""

LOOKED_BACK = 20
"""No reply begins as one of so many before it."""

RULE = "rule:auto"
"""Who approved a reply that no person looked at: the rule that somebody switched on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(recipes.Recipe):
    """Everything but the review that decides a reply."""

    shop: str
    sign_off: str

    @classmethod
    def of(cls, settings: Settings, shop: str) -> "Recipe":
        own = settings.shop(shop)
        return cls(
            engine=settings.engine,
            model=settings.model,
            sampling=settings.sampling,
            max_asks=settings.max_asks,
            name_reasons=settings.name_reasons,
            rules={
                language: recipes.rules_for(settings, shop, REPLY, language) for language in prompts.languages(REPLY)
            },
            shop=shop,
            voice=own.voice,
            sign_off=own.replies.sign_off,
        )

    def hash(self) -> str:
        """The fingerprint of the recipe, the prompts' texts and the guards."""
        texts = [*(prompts.digest(REPLY, language) for language in sorted(prompts.languages(REPLY))), *self.told()]
        rules = [guards.digest_replies(self.rules[language]) for language in sorted(self.rules)]
        return fingerprint([self.as_json(), texts, rules])


def plan(
    database: Database,
    settings: Settings,
    shop: str,
    run_key: str,
    *,
    ids: Sequence[int] | None = None,
    limit: int | None = None,
    budget: runs.Budget = runs.NO_BUDGET,
) -> runs.Planned:
    """Write a run with one draft for every review that needs an answer, of these `ids` or of all; nothing is rung yet.

    Raises:
        NotFound: there is no such shop.
    """
    recipe = Recipe.of(settings, shop)
    order = replies.Order(
        run_key=run_key,
        recipe=recipe.as_json(),
        recipe_hash=recipe.hash(),
        chunk_size=min(settings.chunk_size, REPLIES_IN_CHUNK),
        by_rule=settings.shop(shop).replies.auto,
        ids=ids,
        limit=limit,
        budget=budget,
    )
    with database.write() as connection:
        return replies.plan(connection, products.find_shop(connection, shop), order)


def write_chunk(
    database: Database, settings: Settings, engine: Engine, run: int, chunk: int, progress: Progress
) -> Tally:
    """Answer every review of a chunk that nobody else holds, by the run's own recipe.

    The shop's rule must have been on when the run was planned, and be on now, for a reply to be approved by it.

    Raises:
        NotFound: there is no such run.
        ConfigurationError: the run was planned for another model than this worker's settings name.
    """
    asked = chunks.asked(database, settings, run)
    by_rule = asked.auto_publish and settings.shop(asked.shop).replies.auto
    before = chunks.looked_up(database, lambda connection: replies.latest_texts(connection, asked.shop, LOOKED_BACK))
    desk = _Desk(Recipe.from_json(asked.recipe), engine.model, [guards.opening_of(text) for text in before])
    return chunks.write(
        database,
        settings,
        engine,
        run,
        chunk,
        claim=replies.claim,
        read=desk.read,
        lane=Lane(asked.lane),
        progress=progress,
        settle=partial(replies.settle_by_rule, by=RULE) if by_rule else drafts.settle,
    )


@dataclass(slots=True)
class _Desk:
    """What the replies of one chunk share: recipe, model, and how the shop's last replies and each of these begin."""

    recipe: Recipe
    model: str
    openings_before: Sequence[str]
    openings: dict[int, str] = field(default_factory=dict)
    neighbours: Neighbours = field(default_factory=Neighbours)

    def read(self, claimed: replies.Claimed) -> "_Item | drafts.Outcome":
        if claimed.language in prompts.languages(REPLY):
            facts = Facts("", language=claimed.language)  # a reply is no worse for leaving the product's out
            return _Item(claimed.id, 1, self.model, self.recipe, facts, self.neighbours, claimed, self)
        reason = Reason("prompt.missing", "there is no prompt for the language of the review", claimed.language)
        return drafts.Outcome(claimed.id, Status.HELD, reasons=(reason,))

    def lately(self, draft: int) -> list[str]:
        """How other replies of the shop begin, as many as are looked back at."""
        others = [opening for other, opening in self.openings.items() if other != draft]
        return [*others, *self.openings_before][:LOOKED_BACK]

    def opening(self, claimed: replies.Claimed, tone: Polarity, number: int) -> str:
        """The first from this number on that no other reply begins with lately."""
        lately = self.lately(claimed.id)
        in_turn = [prompts.opening(claimed.language, tone, number + step) for step in range(LOOKED_BACK + 1)]
        chosen = next((one for one in in_turn if guards.opening_of(one) not in lately), in_turn[0])
        self.openings[claimed.id] = guards.opening_of(chosen)
        return chosen


@dataclass(slots=True)
class _Item(Judged):
    """One review: each ask has another opening, and what the model writes goes between it and the closing."""

    claimed: replies.Claimed
    desk: _Desk
    asked: prompts.ReplyPrompt = field(init=False)

    def prompt_of_ask(self) -> prompts.ReplyPrompt:
        review, recipe = self.claimed, self.desk.recipe
        tone, number = prompts.tone(review.sentiment, review.rating), review.id + self.asks
        self.asked = prompts.render_reply(
            review.words,
            language=review.language,
            polarity=review.sentiment,
            rating=review.rating,
            facts=review.facts,
            voice=recipe.voice_in(review.language),
            opening=self.desk.opening(review, tone, number),
            closing=prompts.closing(review.language, tone, number),
            sign_off=recipe.sign_off,
        )
        return self.asked

    def judged(self, said: str, *, finished: bool) -> tuple[str, tuple[Reason, ...]]:
        answer = guards.tidy(said)
        if not answer:
            return "", (Reason("shape.finished", "the model wrote nothing"),)
        text, review, recipe = self.asked.whole(answer), self.claimed, self.desk.recipe
        names = tuple(filter(None, (recipe.shop, self.asked.sign_off)))
        about = ReviewFacts(review.words, review.language, review.sentiment, review.rating, review.facts, names)
        verdict = guards.judge_reply(
            text,
            about,
            recipe.rules_in(review.language),
            finished=finished,
            echoes=self.prompt.echoes,
            recent_openings=self.desk.lately(self.draft),
        )
        return text, verdict.reasons
