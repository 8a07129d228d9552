"""Sentiments by a model: a classifier judges reviews, and what follows for who may answer them is decided anew."""

import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from copydesk import prompts
from copydesk.engine.base import Completion, Engine, Finish, Message, Request
from copydesk.errors import ConfigurationError, CopydeskError
from copydesk.jobs import chunks
from copydesk.jobs.chunks import Next, Progress, Tally
from copydesk.model import REPLY, Lane, Polarity, Reason, Sentiment, Status
from copydesk.settings import Replies, Sampling, Settings
from copydesk.store import Database, drafts, products, replies, runs, sentiments
from copydesk.store.reviews import Judgement

log = logging.getLogger(__name__)

CLASSIFIER = "classifier"
"""What stands for the engine's name in the recipe of a run."""

BY_WORDS = ("route.", "review.")
"""How the codes of reasons begin that the review's words gave: no sentiment takes such a review from its person."""

NOTHING_TO_SAMPLE = Sampling(max_tokens=1)


def plan(database: Database, settings: Settings, shop: str, run_key: str) -> runs.Planned:
    """Write a run of every review that the classifier of the settings has not judged; nothing is rung yet.

    Raises:
        ConfigurationError: the settings name no classifier.
        NotFound: there is no such shop.
    """
    model = settings.sentiment.model
    if not model:
        raise ConfigurationError(
            "no classifier is named, so the word lists' sentiments stand: set COPYDESK_SENTIMENT__MODEL to a Hugging "
            "Face id or a folder, here and for the workers"
        )
    recipe = {"engine": CLASSIFIER, "model": model}
    with database.write() as connection:
        shop_id = products.find_shop(connection, shop)
        return sentiments.plan(connection, shop_id, run_key, recipe, by=model, chunk_size=settings.chunk_size)


def write_chunk(
    database: Database, settings: Settings, classifier: Callable[[], Engine], run: int, chunk: int, progress: Progress
) -> Tally:
    """Judge every review of a chunk that nobody else holds; `classifier` is opened only where the run is for it.

    A classifier that cannot be opened fails the drafts of the chunk, with its error as the reason.

    Raises:
        NotFound: there is no such run.
        ConfigurationError: the run was planned for another classifier than this worker's settings name.
    """
    asked = chunks.planned(database, run)
    if asked.recipe["model"] != settings.sentiment.model:
        raise ConfigurationError(
            f"run {run} was planned for the classifier {asked.recipe['model']}, this worker has "
            f"{settings.sentiment.model or 'none'}: give producer and worker the same COPYDESK_SENTIMENT__MODEL"
        )
    try:
        engine = classifier()
    except CopydeskError as error:
        log.error("run %d, chunk %d fails: %s", run, chunk, error)
        return _fail(database, run, chunk, settings.lease_seconds, Reason("sentiment.model", str(error)))
    desk = _Desk(asked.recipe["model"], settings.shop(asked.shop).replies)
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
        settle=desk.settle,
    )


def _fail(database: Database, run: int, chunk: int, lease_seconds: float, reason: Reason) -> Tally:
    """Settle what waits in the chunk without an engine; one left open would be rung for ever."""
    tally = Tally()
    for alone in (False, True):
        while claimed := _claimed(database, run, chunk, lease_seconds, reason, alone=alone):
            tally.total += claimed.total
            tally.failed += claimed.failed
            tally.stale += claimed.stale
    with database.write() as connection:
        runs.close_chunks(connection, only=(run, chunk))
        runs.finalize(connection, run)
    return tally


def _claimed(
    database: Database, run: int, chunk: int, lease_seconds: float, reason: Reason, *, alone: bool
) -> Tally | None:
    """Fail what one claim takes; None where it takes nothing."""
    token = uuid.uuid4().hex
    with database.write() as connection:
        claimed = replies.claim(connection, run, chunk, token=token, lease_seconds=lease_seconds, alone=alone)
    if not claimed:
        return None
    outcomes = [drafts.Outcome(one.id, Status.FAILED, reasons=(reason,)) for one in claimed]
    with database.write() as connection:
        settled = sentiments.settle(connection, token, outcomes, {})
    return Tally(total=len(claimed), failed=len(settled.accepted), stale=settled.stale)


@dataclass(slots=True)
class _Desk:
    """What the reviews of one chunk share, and what was found out of them and is not written down yet."""

    model: str
    rules: Replies
    judgements: dict[int, Judgement] = field(default_factory=dict)

    def read(self, claimed: replies.Claimed) -> "_Item":
        return _Item(claimed.id, 1, claimed, self)

    def settle(self, connection: Any, token: str, outcomes: Sequence[drafts.Outcome]) -> drafts.Settled:
        return sentiments.settle(connection, token, outcomes, self.judgements)

    def judge(self, review: replies.Claimed, chances: Mapping[str, float]) -> None:
        from copydesk import triage  # a second's worth of word lists, which a worker without a classifier never needs

        sentiment = _sentiment(chances, self.model)
        disagrees = triage.disagree(review.rating, sentiment)
        found = tuple(reason for reason in review.reasons if reason.code.startswith(BY_WORDS))
        policy, added = triage.decide(
            review.route,
            sentiment,
            review.rating,
            self.rules,
            has_prompt=review.language in prompts.languages(REPLY),
            disagrees=disagrees,
            found=found,
        )
        self.judgements[review.id] = Judgement(sentiment, disagrees, policy, (*found, *added))


@dataclass(slots=True)
class _Item(chunks.Item):
    """One review: asked once."""

    claimed: replies.Claimed
    desk: _Desk

    def request(self, name: str, lane: Lane) -> Request:
        text = self.claimed.words
        return Request(name, (Message("user", text),), text, NOTHING_TO_SAMPLE, self.candidates, lane)

    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        if completion.finish is not Finish.STOP:
            reasons = (chunks.engine_failed(completion),)
            return drafts.Outcome(self.draft, Status.FAILED, reasons=reasons, asks=self.asks, model=self.desk.model)
        chances = json.loads(completion.text)
        self.desk.judge(self.claimed, chances)
        return drafts.Outcome(
            self.draft,
            Status.READY,
            asks=self.asks,
            model=self.desk.model,
            prompt_tokens=self.prompt_tokens,
            choices=[chances],
        )


def _sentiment(chances: Mapping[str, float], by: str) -> Sentiment:
    polarity = max(Polarity, key=lambda one: chances[one])
    return Sentiment(polarity, chances["positive"], chances["neutral"], chances["negative"], by)
