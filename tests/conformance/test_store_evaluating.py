"""What evaluations and experiments look at, on both databases."""

from typing import Any

import pytest
import sqlalchemy as sa
from databases import Ledger, outcome, product, some

from copydesk.errors import InputError, NotFound
from copydesk.model import Facts, Status, TextFormat
from copydesk.store import evaluating, tables
from copydesk.store.evaluating import Change, Chosen, Written


def of_run(ledger: Ledger, run: int) -> Chosen:
    with ledger.database.read() as connection:
        return evaluating.of_run(connection, run)


def of_shop(ledger: Ledger, kind: str = "description") -> Chosen:
    with ledger.database.read() as connection:
        return evaluating.of_shop(connection, ledger.shop, kind)


def written(ledger: Ledger, chosen: Chosen) -> list[Written]:
    with ledger.database.read() as connection:
        return list(evaluating.written(connection, chosen))


def pairs(ledger: Ledger, one: Chosen, other: Chosen) -> list[tuple[str, str]]:
    with ledger.database.read() as connection:
        return [(first.text, second.text) for first, second in evaluating.pairs(connection, one, other)]


def changes(ledger: Ledger) -> list[Change]:
    with ledger.database.read() as connection:
        return list(evaluating.changes(connection, evaluating.of_shop(connection, ledger.shop, "description")))


def test_a_run_has_every_settled_draft_in_the_order_of_the_products(ledger: Ledger) -> None:
    ledger.take_in(*some(6))
    run = ledger.plan(chunk_size=3).run
    for chunk in (1, 0):
        first, *others = ledger.claim(run, chunk)
        ledger.settle(outcome(first, Status.HELD, "held {sku}"), *[outcome(one) for one in others])

    found = written(ledger, of_run(ledger, run))

    assert [one.sku for one in found] == [f"sku{number}" for number in range(1, 7)]
    assert [one.outcome for one in found] == ["held", "ready", "ready"] * 2
    assert (found[0].text, found[0].model, found[0].prompt) == ("held sku1", "tiny", "description/en@1")
    assert found[0].facts == Facts("Thing 1", "Ridgeway", "Things", (("Colour", "red"),))
    assert not any(one.is_outdated for one in found)


def test_of_what_is_open_or_stale_nothing_is_judged(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan().run
    first, *_ = ledger.claim(run)
    ledger.take_in(product(1, colour="blue"))
    ledger.settle(outcome(first))  # stale by now, and asked for again

    assert written(ledger, of_run(ledger, run)) == []


def test_a_persons_words_stand_beside_the_models(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = ledger.plan().run
    ledger.write(run, text="the model's")
    ledger.decide(ledger.drafts()[0].id, Status.APPROVED, text="a person's")

    [found] = written(ledger, of_run(ledger, run))

    assert (found.text, found.edited, found.state, found.decided_by) == (
        "the model's", "a person's", Status.APPROVED, "ann",
    )  # fmt: skip
    with ledger.database.read() as connection:
        assert evaluating.texts(connection, [found.draft, 99]) == {found.draft: "the model's"}


def test_a_product_that_was_edited_since_says_so_and_has_todays_facts(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = ledger.plan().run
    ledger.write(run)
    ledger.take_in(product(colour="blue"))

    [found] = written(ledger, of_run(ledger, run))

    assert found.is_outdated
    assert found.facts.attributes == (("Colour", "blue"),)


def test_a_shop_has_of_each_product_the_newest_text_of_the_kind(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    ledger.write(ledger.plan("first").run, text="first {sku}")
    ledger.write(ledger.plan("second", everything=True, skus=["sku2"]).run, text="second {sku}")
    ledger.plan("open", everything=True)  # not written yet
    other = Ledger(ledger.database, "other")
    other.take_in(product())
    other.write(other.plan().run)

    assert [one.text for one in written(ledger, of_shop(ledger))] == ["first sku1", "second sku2", "first sku3"]
    assert written(ledger, of_shop(ledger, "seo_title")) == []


def test_two_runs_meet_at_the_products_that_both_have(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    first = ledger.plan("first", skus=["sku1", "sku2", "sku4"]).run
    ledger.write(first, text="first {sku}")
    second = ledger.plan("second", everything=True, skus=["sku2", "sku3", "sku4"]).run
    ledger.write(second, text="second {sku}")

    one, other = of_run(ledger, first), of_run(ledger, second)

    assert pairs(ledger, one, other) == [("first sku2", "second sku2"), ("first sku4", "second sku4")]
    assert pairs(ledger, other, one) == [("second sku2", "first sku2"), ("second sku4", "first sku4")]
    assert [text for _, text in pairs(ledger, one, of_shop(ledger))] == ["first sku1", "second sku2", "second sku4"]


def test_what_has_no_products_is_refused_by_name(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = ledger.plan().run
    with pytest.raises(NotFound, match="there is no run 99"):
        of_run(ledger, 99)
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(kind="reply"))
    with pytest.raises(InputError, match="replies"):
        of_run(ledger, run)
    with pytest.raises(InputError, match="no products"):
        of_shop(ledger, "batch")


def test_a_new_text_is_tried_against_the_one_from_before_it(ledger: Ledger) -> None:
    ledger.take_in(product(1), product(2), product(3, description=""), product(4))
    run = ledger.plan().run
    ledger.write(run, text="new {sku}")
    for draft in ledger.drafts():
        if draft.sku in ("sku1", "sku3"):
            ledger.decide(draft.id, Status.APPROVED)
        elif draft.sku == "sku4":
            ledger.decide(draft.id, Status.REJECTED)
    ledger.publish(render=lambda text, _: f"<p>{text}</p>")

    assert changes(ledger) == [
        Change("sku1", "<p>old 1</p>", "<p>new sku1</p>", True, TextFormat.HTML),  # live
        Change("sku2", "<p>old 2</p>", "new sku2", False, TextFormat.HTML),  # ready
    ]


def test_what_was_taken_back_and_published_once_more_is_still_tried_against_the_first_text(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved(text="new")
    ledger.publish()
    ledger.undo()
    assert changes(ledger) == []

    ledger.approved("again", text="newer", everything=True)
    ledger.publish()
    assert [(one.before, one.new) for one in changes(ledger)] == [("<p>old 1</p>", "newer")]


def test_every_query_streams(ledger: Ledger) -> None:
    """However many drafts there are, the first is there before the last is read."""
    ledger.take_in(*some(3))
    ledger.write(ledger.plan().run)
    with ledger.database.read() as connection:
        chosen = evaluating.of_shop(connection, ledger.shop, "description")
        streams: list[Any] = [
            evaluating.written(connection, chosen),
            evaluating.pairs(connection, chosen, chosen),
            evaluating.changes(connection, chosen),
        ]
        for stream in streams:
            assert next(stream)
            stream.close()
