"""From an approved draft to the shop's live text."""

from collections.abc import Callable

from copydesk.markup import to_html
from copydesk.model import TextFormat
from copydesk.store import Database, drafts, runs, texts

RULE = "rule:auto_publish"
"""Who approved a draft that no person looked at: the rule that somebody switched on."""


def publish(database: Database, shop_id: int, run: int | None = None, *, by: str) -> texts.Published:
    """Put every approved draft of a shop, or of one run, live."""
    published = texts.Published()
    while True:
        with database.write() as connection:
            batch = texts.publish(connection, shop_id, run, by=by, render=_render)
        published += batch
        if not batch.looked_at:
            return published


def publish_by_rule(database: Database, rule_is_on: Callable[[str], bool]) -> int:
    """Approve and publish what ended runs with the auto-publish rule wrote; returns how many texts went live.

    The rule must have been on when the run was planned, and still be on for the shop (`rule_is_on`) now.
    """
    with database.read() as connection:
        due = runs.to_publish_by_rule(connection)
    published = 0
    for shop, shop_id, run in due:
        if not rule_is_on(shop):
            continue
        with database.write() as connection:
            drafts.approve_all(connection, run, by=RULE)
        published += publish(database, shop_id, run, by=RULE).published
    return published


def _render(text: str, text_format: TextFormat) -> str:
    return to_html(text) if text_format is TextFormat.HTML else text
