"""From a draft that people decide on to the shop's live text, and back."""

from collections.abc import Callable

from copydesk.markup import to_html
from copydesk.model import DESCRIPTION, Status, TextFormat
from copydesk.store import Database, drafts, runs, selecting, texts

RULE = "rule:auto_publish"
"""Who approved a draft that no person looked at: the rule that somebody switched on."""


DECIDED_AT_ONCE = 500
"""Drafts that one transaction decides on, or products whose text it takes back."""


def decide_all(
    database: Database, which: selecting.Which, to: Status, *, by: str, four_eyes: bool = False
) -> drafts.Said:
    """A person's word on every draft that is chosen and waits for one, in batches; stopped halfway, ask again."""
    with database.read() as connection:
        ids = selecting.ids(connection, which)
    said = drafts.Said()
    for some in drafts.batched(ids, DECIDED_AT_ONCE):
        with database.write() as connection:
            said += drafts.decide_some(connection, some, to, by=by, four_eyes=four_eyes)
    return said


def publish(
    database: Database, shop_id: int, run: int | None = None, *, by: str, kind: str | None = None
) -> texts.Published:
    """Put every approved draft of a kind, of a shop or of one run, live.

    Args:
        kind: None for the run's own, and for descriptions where no run is named.
    """
    kind = kind or _kind_of(database, run)
    published = texts.Published()
    while True:
        with database.write() as connection:
            batch = texts.publish(connection, shop_id, run, by=by, render=_render, kind=kind)
        published += batch
        if not batch.looked_at:
            return published


def _kind_of(database: Database, run: int | None) -> str:
    if run is None:
        return DESCRIPTION
    with database.read() as connection:
        return runs.asked(connection, run).kind


def undo_run(database: Database, run: int, *, by: str) -> texts.Undone:
    """Take back every text of a run that is live, in batches; what a person changed since stays.

    Stopped halfway, ask again: what is taken back already is not taken back twice.

    Raises:
        NotFound: there is no such run.
    """
    kind = _kind_of(database, run)
    with database.read() as connection:
        product_ids = texts.published_by(connection, run)
    undone = texts.Undone()
    for some in drafts.batched(product_ids, DECIDED_AT_ONCE):
        with database.write() as connection:
            undone += texts.undo_some(connection, run, some, by=by, kind=kind)
    return undone


def publish_by_rule(database: Database, rule_is_on: Callable[[str], bool]) -> int:
    """Approve and publish what ended runs with the auto-publish rule wrote; returns how many texts went live.

    The rule must have been on when the run was planned, and still be on for the shop (`rule_is_on`) now.
    """
    with database.read() as connection:
        due = runs.to_publish_by_rule(connection)
    published = 0
    for shop, shop_id, run, kind in due:
        if not rule_is_on(shop):
            continue
        with database.write() as connection:
            drafts.approve_all(connection, run, by=RULE)
        published += publish(database, shop_id, run, by=RULE, kind=kind).published
    return published


def _render(text: str, text_format: TextFormat) -> str:
    return to_html(text) if text_format is TextFormat.HTML else text
