"""Copy about products, of any kind that there is a prompt for. One chunk reads: claim it, ask, judge, write it down."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from copydesk import guards, prompts
from copydesk.engine.base import Engine
from copydesk.errors import ConfigurationError, InputError, MissingFact
from copydesk.jobs import chunks, recipes
from copydesk.jobs.chunks import Progress, Tally
from copydesk.jobs.judging import Judged
from copydesk.jobs.ranking import Neighbours
from copydesk.markup import to_plain
from copydesk.model import DESCRIPTION, Facts, Lane, Reason, Status, translating
from copydesk.settings import Settings
from copydesk.store import Database, drafts, products, runs

LOOKED_AT = 200
"""Products whose prompts an estimate is guessed from where no run has been timed yet."""

LIVE_TEXT, SPELLED = "Live text", "Spellings"
"""What the text to translate, and its materials and the like in either language, are called among the facts that its
translation is judged by."""

CHARACTERS_OF_A_TOKEN, ASKS_GUESSED = 4, 1.5
"""Of Latin script; a Chinese character is about a token of its own. The example catalog takes 2 to 3 asks a product."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products of a shop are to be written about, and how.

    Args:
        kind: of the copy.
        to: the language that live descriptions are translated into, for a kind that translates; "" for the others.
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
    kind: str = DESCRIPTION
    to: str = ""


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
    kind: str = DESCRIPTION
    to: str = ""
    # As JSON; none in runs that were planned when workers read their own files.
    prompt_files: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, shop: str, wanted: Wanted) -> "Recipe":
        """Raises ConfigurationError: no such kind, or not in this language; a prompt or ruleset file is wrong."""
        kind, files = wanted.kind, _prompts(settings, wanted)
        return cls(
            engine=settings.engine,
            model=settings.model,
            sampling=settings.sampling.model_copy(update={"max_tokens": _max_tokens(settings, files)}),
            candidates=wanted.candidates or settings.candidates,
            max_asks=settings.max_asks,
            name_reasons=settings.name_reasons,
            rules={language: recipes.rules_for(settings, shop, kind, language) for language in files},
            voice=settings.shop(shop).voice,
            kind=kind,
            to=wanted.to,
            prompt_files={language: file.as_json() for language, file in files.items()},
        )

    def hashes(self, folder: Path | None) -> dict[str, str]:
        """Per language with a prompt, the fingerprint of the recipe, the prompt's text and the guards.

        `folder` is where the shop's own prompts are.
        """
        return {
            language: self.hash_with(guards.digest(rules), prompts.digest(self.kind, language, folder))
            for language, rules in self.rules.items()
        }

    def files(self) -> dict[str, prompts.PromptFile]:
        """The prompts that the run was planned with, by language: a worker needs no file of its own."""
        return {language: prompts.PromptFile.model_validate(file) for language, file in self.prompt_files.items()}


def _prompts(settings: Settings, wanted: Wanted) -> dict[str, prompts.PromptFile]:
    """The kind's prompts by language; of one that translates only that of the language wanted.

    Raises:
        ConfigurationError: no such kind, or not in this language; a prompt file is wrong.
        InputError: a language is wanted of a kind that does not translate, or none of one that does.
    """
    kind, to, folder = wanted.kind, wanted.to, settings.prompts_dir
    languages = (to,) if to else prompts.languages(kind, folder) or ("",)  # no prompt at all: said by load
    files = {language: prompts.load(kind, language, folder) for language in languages}
    translates = any(file.translates for file in files.values())
    if translates and not to:
        raise InputError(f"say which language {kind} is into: --to {' or --to '.join(files)}")
    if to and not translates:
        raise InputError(f"{kind} is written in each product's own language: leave --to out")
    for file in files.values():
        if unknown := sorted(file.rules.guards.keys() - set(guards.CODES)):
            known = ", ".join(sorted(guards.CODES))
            raise ConfigurationError(f"the prompt {file.name} speaks of {', '.join(unknown)}: guards are {known}")
    return files


def plan(
    database: Database, settings: Settings, shop: str, run_key: str, wanted: Wanted = EVERYTHING_CHANGED
) -> runs.Planned:
    """Write a run and its drafts; nothing is rung yet.

    Raises:
        NotFound: an unknown shop or sku.
        ConfigurationError, InputError: the kind cannot be written so; the message says why.
    """
    with database.write() as connection:
        return runs.plan(connection, *_order(connection, settings, shop, run_key, wanted))


def estimate(database: Database, settings: Settings, shop: str, wanted: Wanted) -> Estimate:
    """What plan would enqueue, and about what that costs; nothing is stored. Raises as plan does."""
    with database.read() as connection:
        shop_id, order = _order(connection, settings, shop, "", wanted)
        skipped = runs.survey(connection, shop_id, order)
        due = skipped.pop("due", 0)
        items = due if wanted.limit is None else min(due, wanted.limit)
        spent = runs.spent_by(connection, order.kind, settings.model)
        if not spent.items:
            some = runs.due_facts(connection, shop_id, order, LOOKED_AT)
            return Estimate(items, skipped, guessed_tokens(some, settings, wanted) * items, None, 0)
    return Estimate(
        items, skipped, round(spent.tokens / spent.items * items), spent.seconds / spent.items * items / 60, spent.runs
    )


def guessed_tokens(some: Sequence[Facts], settings: Settings, wanted: Wanted = EVERYTHING_CHANGED) -> int:
    """Tokens that one product takes, by the length of its prompt and the longest answer; 0 without products."""
    files = _prompts(settings, wanted)
    lengths = []
    for facts in some:
        with contextlib.suppress(MissingFact, KeyError):
            # A text to translate is about as long as the facts, which are not sent with it.
            text = "\n".join(value for _, value in facts.lines())
            turns = prompts.render(files[wanted.to or facts.language], facts, text=text).turns
            lengths.append(sum(_tokens(content) for _, content in turns))
    if not lengths:
        return 0
    answers = (wanted.candidates or settings.candidates) * _max_tokens(settings, files)
    return round(ASKS_GUESSED * (sum(lengths) / len(lengths) + answers))


def _max_tokens(settings: Settings, files: Mapping[str, prompts.PromptFile]) -> int:
    return max([settings.sampling.max_tokens, *(file.max_tokens or 0 for file in files.values())])


def _tokens(text: str) -> float:
    chinese = sum(character > "\u2e7f" for character in text)
    return chinese + (len(text) - chinese) / CHARACTERS_OF_A_TOKEN


def _order(connection: Any, settings: Settings, shop: str, run_key: str, wanted: Wanted) -> tuple[int, runs.Order]:
    recipe = Recipe.of(settings, shop, wanted)
    shop_id = products.find_shop(connection, shop)
    products.check_known(connection, shop_id, wanted.skus or ())
    order = runs.Order(
        run_key=run_key,
        recipe=recipe.as_json(),
        recipe_hashes=recipe.hashes(settings.prompts_dir),
        chunk_size=settings.chunk_size,
        kind=translating(wanted.kind, wanted.to) if wanted.to else wanted.kind,
        language=wanted.to,
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
    desk = _Desk(recipe, recipe.files(), engine.model, Neighbours())
    return chunks.write(
        database,
        settings,
        engine,
        run,
        chunk,
        claim=drafts.claim,
        read=desk.read,
        lane=Lane(asked.lane),
        progress=progress,
    )


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the texts of one chunk share: recipe, prompts by language, model, and those that were taken."""

    recipe: Recipe
    files: Mapping[str, prompts.PromptFile]
    model: str
    neighbours: Neighbours

    def read(self, claimed: drafts.Claimed) -> "_Item | drafts.Outcome":
        facts, text = sayable(claimed.facts, claimed.live_text, self.recipe.to)
        recipe, language = self.recipe, facts.language
        try:
            file, rules = self.files.get(language, recipe.kind), recipe.rules_in(language)
            prompt = prompts.render(file, facts, recipe.voice_in(language), text, rules)
        except MissingFact as missing:
            reason = Reason("facts.missing", str(missing), missing.fact)
        except ConfigurationError as error:  # the product's language changed to one without a prompt
            reason = Reason("prompt.missing", str(error), language)
        else:
            return _Item(
                claimed.id, recipe.candidates, self.model, recipe, facts, self.neighbours, text, prompt,
                cut_back=isinstance(file, prompts.PromptFile) and file.cut_back, resampled=claimed.resampled,
            )  # fmt: skip
        return drafts.Outcome(claimed.id, Status.HELD, reasons=(reason,))


def sayable(facts: Facts, live_text: str, to: str) -> tuple[Facts, str]:
    """What may be said of a product, and the text to translate, "" for copy made of facts.

    A translation says what the text says, in another language, and nothing else of the product but its names.
    """
    if not to:
        return facts, ""
    text = to_plain(live_text)
    said = ((LIVE_TEXT, text), (SPELLED, guards.spelled(text)))
    return replace(facts, attributes=said, language=to), text


@dataclass(slots=True)
class _Item(Judged):
    """One product, asked for by the same prompt each time; `source` is the text to translate, "" for other copy."""

    source: str
    fixed: prompts.Prompt

    def prompt_of_ask(self) -> prompts.Prompt:
        return self.fixed

    def judged(self, said: str, *, finished: bool) -> tuple[str, tuple[Reason, ...]]:
        text, language = guards.tidy(said), self.facts.language
        rules = self.recipe.rules_in(language)
        verdict = guards.judge(
            text,
            self.facts,
            rules,
            finished=finished,
            echoes=self.prompt.echoes,
            voice=self.recipe.voice_in(language),
        )
        return text, (*verdict.reasons, *guards.left_out(self.source, text, self.facts, rules))
