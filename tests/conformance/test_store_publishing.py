"""Publishing: only what is approved and still true, never over a person's words, undone byte for byte."""

from typing import Any

import pytest
import sqlalchemy as sa
from databases import Ledger, Meanwhile, at_once, just_before, outcome, product, some

from copydesk.errors import CopydeskError, IllegalMove, InputError, NotFound
from copydesk.jobs import publishing, upkeep
from copydesk.model import Status, TextFormat
from copydesk.store import products, tables, texts
from copydesk.store.texts import Published

WEIRD = [
    "",
    "<p>one\r\ntwo\rthree\nfour</p>",
    "🫖 emoji 👩‍👩‍👧 and ünïcode \u0301 combining",
    "trailing spaces   \n\n",
    " leading\u00a0no-break and \u200bzero width \ufeffbom",
    "<p>&amp; &nbsp; &lt;b&gt; 'quotes' \"double\" \\ back %s %(x)s {x} $1 :name</p>",
    "tab\tvertical\x0bform\x0cbell\x07",
    "x" * 200_000,
]


def plain(text: str, text_format: TextFormat) -> str:
    return text


def written(ledger: Ledger) -> list[tuple[str, str]]:
    with ledger.database.read() as connection:
        return [(live.sku, live.text) for live in products.written_texts(connection, ledger.shop_id)]


def test_approved_drafts_go_live_and_only_those(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    run = ledger.plan().run
    first, second, third, fourth = ledger.claim(run)
    ledger.settle(outcome(first), outcome(second), outcome(third, Status.HELD), outcome(fourth))
    ledger.decide(first.id, Status.APPROVED)
    ledger.decide(fourth.id, Status.REJECTED)

    assert ledger.publish() == Published(1, 0, 0)

    assert ledger.states() == ["published", "ready", "held", "rejected"]
    assert [ledger.live(f"sku{place}") for place in range(1, 5)] == [
        "new sku1", "<p>old 2</p>", "<p>old 3</p>", "<p>old 4</p>",
    ]  # fmt: skip
    assert ledger.publish() == Published(0, 0, 0)


def test_publishing_one_run_leaves_the_other(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    first = ledger.approved("first", skus=["sku1"])
    ledger.approved("second")

    assert ledger.publish(first) == Published(1, 0, 0)
    assert ledger.states() == ["published", "approved"]


def test_publishing_one_shop_leaves_the_other(ledger: Ledger) -> None:
    other = Ledger(ledger.database, "other")
    for shop in (ledger, other):
        shop.take_in(product())
        shop.approved()

    ledger.publish()

    assert (ledger.live(), other.live()) == ("new sku1", "<p>old 1</p>")


@pytest.mark.parametrize(
    ("text_format", "live"), [(TextFormat.HTML, "<p>Big &amp; &lt;tall&gt;.</p>"), (TextFormat.PLAIN, "Big & <tall>.")]
)
def test_the_text_goes_live_in_the_shops_own_format(ledger: Ledger, text_format: TextFormat, live: str) -> None:
    ledger.take_in(product(text_format=text_format))
    ledger.approved(text="Big & <tall>.")

    assert publishing.publish(ledger.database, ledger.shop_id, by="ann") == Published(1, 0, 0)
    assert ledger.live() == live


def test_more_than_one_batch_is_published(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "BATCH", 2)
    ledger.take_in(*some(5))
    ledger.approved()

    assert publishing.publish(ledger.database, ledger.shop_id, by="ann") == Published(5, 0, 0)
    assert set(ledger.states()) == {"published"}


def test_a_draft_that_is_no_longer_true_is_not_published(ledger: Ledger) -> None:
    """As after an import that finished while the draft was being approved."""
    ledger.take_in(product())
    ledger.approved()
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.products).values(facts_hash="another"))

    assert ledger.publish() == Published(0, 1, 0)
    assert ledger.states() == ["stale"]
    assert ledger.live() == "<p>old 1</p>"


def test_a_text_that_a_person_wrote_is_not_published_over(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first")
    ledger.publish()
    ledger.approved("second", everything=True, text="newer")
    ledger.take_in(product(description="By hand."))

    assert ledger.publish() == Published(0, 0, 1)
    assert ledger.states() == ["published", "rejected"]
    assert ledger.live() == "By hand."


def test_of_two_approved_drafts_of_one_product_the_newer_goes_live(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first", text="first")
    ledger.approved("second", text="second", everything=True)

    assert ledger.publish() == Published(1, 1, 0)
    assert ledger.live() == "second"
    assert ledger.states() == ["stale", "published"]


def test_an_older_approved_draft_does_not_replace_a_newer_published_one(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first", text="first")
    second = ledger.approved("second", text="second", everything=True)
    ledger.publish(second)

    ledger.publish()

    assert ledger.live() == "second"


def test_what_we_put_in_place_is_handed_back_and_nothing_else(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    assert written(ledger) == []
    ledger.approved(skus=["sku3", "sku1"])
    ledger.publish()
    ledger.take_in(product(3, description="By hand."))

    assert written(ledger) == [("sku1", "new sku1")]

    ledger.undo()
    assert written(ledger) == [("sku1", "<p>old 1</p>")]


@pytest.mark.parametrize("before", WEIRD, ids=lambda text: repr(text[:12]))
def test_undo_is_byte_identical(ledger: Ledger, before: str) -> None:
    ledger.take_in(product(description=before))
    ledger.approved(text="ours")
    ledger.publish()

    assert ledger.undo() == before
    assert ledger.live() == before
    assert ledger.states() == ["undone"]


def test_undo_steps_further_back_each_time_and_then_says_there_is_nothing(ledger: Ledger) -> None:
    ledger.take_in(product())
    for name in ("first", "second", "third"):
        ledger.approved(name, text=name, everything=True)
        ledger.publish()

    assert [ledger.undo() for _ in range(3)] == ["second", "first", "<p>old 1</p>"]
    assert ledger.states() == ["undone"] * 3
    with pytest.raises(InputError, match=r"nothing to undo.*'sku1'"):
        ledger.undo()
    assert ledger.live() == "<p>old 1</p>"


def test_after_an_undo_something_new_can_be_published_and_undone(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first", text="first")
    ledger.publish()
    ledger.undo()
    ledger.approved("second", text="second", everything=True)
    ledger.publish()

    assert ledger.live() == "second"
    assert ledger.undo() == "<p>old 1</p>"
    with pytest.raises(InputError):
        ledger.undo()


def test_undo_takes_a_persons_edit_back_to_our_text_and_lifts_the_protection(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first", text="ours")
    ledger.publish()
    ledger.take_in(product(description="By hand."))

    assert ledger.undo() == "ours"
    assert ledger.states() == ["published"]
    assert ledger.plan("again", everything=True).queued == 1


def test_undo_of_our_text_gives_a_persons_words_back_and_protects_them(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan("first").run)
    ledger.decide(ledger.drafts()[0].id, Status.APPROVED, text="By hand.")
    ledger.publish()
    ledger.take_in(product(description="By another hand."))

    assert ledger.undo() == "By hand."
    assert ledger.plan("again", everything=True).skipped == {"text edited by a person": 1}


def test_undo_needs_a_product_and_a_change(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="'sku1'"):
        ledger.undo()
    ledger.take_in(product())
    with pytest.raises(InputError, match="nothing to undo"):
        ledger.undo()


def test_two_undos_at_once_take_back_one_change_each_or_say_why_not(ledger: Ledger) -> None:
    ledger.take_in(product())
    for name in ("first", "second"):
        ledger.approved(name, text=name, everything=True)
        ledger.publish()

    def undo() -> str:
        try:
            return ledger.undo()
        except CopydeskError:
            return "refused"

    taken_back = at_once([undo, undo])

    assert sorted(taken_back) in (["<p>old 1</p>", "first"], ["first", "refused"])
    assert ledger.live() == ("first" if "refused" in taken_back else "<p>old 1</p>")


def test_an_undo_that_waited_for_another_does_not_call_our_text_the_shops_own(
    ledger: Ledger, meanwhile: Meanwhile
) -> None:
    ledger.take_in(product())
    for name in ("first", "second"):
        ledger.approved(name, text=name, everything=True)
        ledger.publish()

    with ledger.database.write() as connection:
        assert texts.undo(connection, ledger.shop_id, "sku1", by="ann") == "first"
        late = meanwhile.start(ledger.undo)

    assert late.result(30) == "<p>old 1</p>"


def test_two_who_publish_at_once_publish_each_draft_once(ledger: Ledger, meanwhile: Meanwhile) -> None:
    ledger.take_in(*some(3))
    ledger.approved()

    with ledger.database.write() as connection:
        mine = texts.publish(connection, ledger.shop_id, None, by="ann", render=plain)
        late = meanwhile.start(ledger.publish)

    assert (mine, late.result(30)) == (Published(3, 0, 0), Published(0, 0, 0))
    assert ledger.undo() == "<p>old 1</p>"


def test_sweeps_at_once_publish_by_rule_once(ledger: Ledger) -> None:
    sweeping: Any = {"max_attempts": 3, "heard": (), "rule_is_on": lambda _: True}
    """`sweep` says that it is safe to run twice at once."""
    ledger.take_in(*some(20))
    ledger.write(ledger.plan(chunk_size=20, auto_publish=True).run)

    swept = at_once([lambda: upkeep.sweep(ledger.database, **sweeping) for _ in range(4)])

    assert sum(one.published for one in swept) == 20
    assert set(ledger.states()) == {"published"}


def test_a_rejection_that_comes_while_it_is_published_is_refused_or_obeyed(
    ledger: Ledger, meanwhile: Meanwhile
) -> None:
    """Never: told "rejected", and the text is live."""
    ledger.take_in(product())
    ledger.approved(text="ours")
    draft = ledger.drafts()[0].id
    rejections: list[Any] = []

    def reject(text: str, text_format: TextFormat) -> str:
        rejections.append(meanwhile.start(lambda: ledger.decide(draft, Status.REJECTED)))
        return text

    with ledger.database.write() as connection:
        texts.publish(connection, ledger.shop_id, None, by="ann", render=reject)
    try:
        rejections[0].result(30)
        obeyed = True
    except IllegalMove:
        obeyed = False

    assert (obeyed, ledger.live(), ledger.states()) in [
        (True, "<p>old 1</p>", ["rejected"]),
        (False, "ours", ["published"]),
    ]


def test_a_rewording_that_comes_while_it_is_published_is_refused_or_published(
    ledger: Ledger, meanwhile: Meanwhile
) -> None:
    """Never: told "reworded", and the model's words are live for good."""
    ledger.take_in(product())
    ledger.approved(text="ours")
    draft = ledger.drafts()[0].id
    edits: list[Any] = []

    def edit(text: str, text_format: TextFormat) -> str:
        edits.append(meanwhile.start(lambda: ledger.decide(draft, Status.APPROVED, text="By hand.")))
        return text

    with ledger.database.write() as connection:
        texts.publish(connection, ledger.shop_id, None, by="ann", render=edit)
    try:
        edits[0].result(30)
        obeyed = True
    except IllegalMove:
        obeyed = False

    ledger.publish()
    assert (obeyed, ledger.live()) in [(True, "By hand."), (False, "ours")]


def test_an_undo_that_comes_while_another_text_is_published_loses_nothing(ledger: Ledger, meanwhile: Meanwhile) -> None:
    ledger.take_in(product())
    ledger.approved("first", text="first")
    ledger.publish()
    ledger.approved("second", text="second", everything=True)
    undos: list[Any] = []

    with (
        ledger.database.write() as connection,
        just_before(connection, "UPDATE live_texts", lambda: undos.append(meanwhile.start(ledger.undo))),
    ):
        texts.publish(connection, ledger.shop_id, None, by="ann", render=plain)

    assert (undos[0].result(30), ledger.live()) in [("first", "first"), ("<p>old 1</p>", "second")]


def test_a_rule_switched_off_meanwhile_publishes_nothing(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = ledger.plan(auto_publish=True).run
    ledger.write(run)
    ledger.finalize(run)
    assert publishing.publish_by_rule(ledger.database, lambda _: False) == 0


def test_a_held_draft_without_text_cannot_be_approved(ledger: Ledger) -> None:
    ledger.take_in(product())
    (claimed,) = ledger.claim(ledger.plan().run)
    ledger.settle(outcome(claimed, Status.HELD, text=""))
    with pytest.raises(InputError, match="has no text to approve"):
        ledger.decide(claimed.id, Status.APPROVED)


def test_the_rule_publishes_what_it_was_switched_on_for(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    off = ledger.plan("off", skus=["sku1"]).run
    on = ledger.plan("on", auto_publish=True).run
    ledger.write(off)
    for claimed, status in zip(ledger.claim(on), (Status.READY, Status.HELD), strict=True):
        ledger.settle(outcome(claimed, status))

    assert publishing.publish_by_rule(ledger.database, lambda _: True) == 0, "the run has not ended"
    ledger.finalize(on)

    assert publishing.publish_by_rule(ledger.database, lambda _: True) == 1
    assert publishing.publish_by_rule(ledger.database, lambda _: True) == 0
    assert ledger.states() == ["ready", "published", "held"]
    assert ledger.drafts()[1].decided_by == publishing.RULE


def test_the_rule_does_not_publish_what_a_person_rejected(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan(auto_publish=True).run
    first, second = ledger.claim(run)
    ledger.settle(outcome(first), outcome(second))
    ledger.decide(first.id, Status.REJECTED)
    ledger.finalize(run)

    assert publishing.publish_by_rule(ledger.database, lambda _: True) == 1
    assert ledger.states() == ["rejected", "published"]
