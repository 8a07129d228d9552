"""Every text a product showed, of each kind of copy: listed, brought back byte for byte, a whole run's at once."""

from itertools import count
from random import Random
from typing import Any

import pytest
from databases import Ledger, at_once, product, some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copydesk.errors import InputError, NotFound, StoreUnavailable
from copydesk.jobs import publishing
from copydesk.model import BATCH, REPLY, SENTIMENT, Dialect, Facts, Product, Status, TextFormat
from copydesk.store import texts
from copydesk.store.texts import Published, Undone

SEO = "seo_title"


def numbers(ledger: Ledger, **of: Any) -> list[tuple[int, bool, str, str, bool, int | None]]:
    return [
        (one.version, one.is_current, one.text, one.origin, one.by_person, one.undo_to) for one in ledger.history(**of)
    ]


def published(ledger: Ledger, run_key: str, text: str, **order: Any) -> int:
    run = ledger.approved(run_key, text, everything=True, **order)
    ledger.publish(run, kind=order.get("kind", "description"))
    return run


def undo_run(ledger: Ledger, run: int) -> Undone:
    return publishing.undo_run(ledger.database, run, by="ann")


def test_the_history_says_of_every_text_where_it_came_from(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = published(ledger, "first", "ours")
    ledger.take_in(product(description="By hand."))
    ledger.undo()

    assert numbers(ledger) == [
        (1, False, "<p>old 1</p>", "imported", False, None),
        (2, False, "ours", "draft", False, 1),
        (3, False, "By hand.", "imported", True, 2),
        (4, True, "ours", "undo", False, 1),
    ]
    (draft,) = ledger.drafts()
    of_drafts = [(one.draft, one.run) for one in ledger.history()]
    assert of_drafts == [(None, None), (draft.id, run), (None, None), (draft.id, run)]
    assert [one.author for one in ledger.history()] == ["import", "ann", "import", "ann"]
    assert sorted(one.created_at for one in ledger.history()) == [one.created_at for one in ledger.history()]


def test_a_history_needs_a_product_and_a_kind_of_copy(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="'sku1'"):
        ledger.history()
    ledger.take_in(product())
    assert ledger.history(kind=SEO) == []


@pytest.mark.parametrize("kind", [BATCH, REPLY, SENTIMENT])
def test_what_is_no_copy_is_neither_published_nor_undone_nor_listed(ledger: Ledger, kind: str) -> None:
    ledger.take_in(product())
    for action in (ledger.undo, ledger.history):
        with pytest.raises(InputError, match=f"'{kind}' is no kind of copy"):
            action(kind=kind)
    with pytest.raises(InputError, match="no kind of copy"):
        ledger.publish(kind=kind)


def test_each_kind_has_a_live_text_of_its_own(ledger: Ledger) -> None:
    ledger.take_in(product())
    published(ledger, "first", "ours")
    published(ledger, "title", "A title", kind=SEO)

    assert (ledger.live(), ledger.live(kind=SEO)) == ("ours", "A title")
    ledger.undo()
    assert (ledger.live(), ledger.live(kind=SEO)) == ("<p>old 1</p>", "A title")


def test_publishing_one_kind_leaves_approved_drafts_of_another(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first")
    ledger.approved("title", kind=SEO)

    assert ledger.publish(kind=SEO) == Published(1)
    assert ledger.states() == ["approved", "published"]


def test_the_rule_publishes_a_run_of_any_kind_in_its_own_kind(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first")
    ledger.write(ledger.plan("title", kind=SEO, auto_publish=True).run, text="A title")

    assert publishing.publish_by_rule(ledger.database, lambda _: True) == 1
    assert (ledger.live(), ledger.live(kind=SEO)) == ("<p>old 1</p>", "A title")


def test_copy_that_is_not_the_description_is_stored_as_plain_text(ledger: Ledger) -> None:
    ledger.take_in(product(text_format=TextFormat.HTML))
    for kind in ("description", SEO):
        ledger.approved(kind, "Big & tall", kind=kind)
        publishing.publish(ledger.database, ledger.shop_id, by="ann", kind=kind)

    assert (ledger.live(), ledger.live(kind=SEO)) == ("<p>Big &amp; tall</p>", "Big & tall")


def test_a_persons_words_protect_their_own_kind_alone(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan("title", kind=SEO).run)
    ledger.decide(ledger.drafts()[0].id, Status.APPROVED, "By hand")
    ledger.publish(kind=SEO)

    assert ledger.plan("again", everything=True, kind=SEO).skipped == {"text edited by a person": 1}
    published(ledger, "first", "ours")
    assert (ledger.live(), ledger.live(kind=SEO)) == ("ours", "By hand")


def test_undo_of_the_first_text_of_a_kind_leaves_none(ledger: Ledger) -> None:
    ledger.take_in(product())
    published(ledger, "title", "A title", kind=SEO)

    assert ledger.undo(kind=SEO) == ""
    assert ledger.live(kind=SEO) == ""
    assert ledger.states() == ["undone"]
    with pytest.raises(InputError, match="nothing to undo: the seo_title"):
        ledger.undo(kind=SEO)
    published(ledger, "again", "Another", kind=SEO)
    assert ledger.live(kind=SEO) == "Another"


def test_any_earlier_version_is_brought_back_and_its_draft_is_the_published_one_again(ledger: Ledger) -> None:
    ledger.take_in(product())
    for name in ("first", "second", "third"):
        published(ledger, name, name)

    assert ledger.undo(to=2) == "first"
    assert ledger.states() == ["published", "published", "undone"]
    ledger.undo()
    assert (ledger.live(), ledger.states()) == ("<p>old 1</p>", ["undone", "published", "undone"])
    assert ledger.undo(to=4) == "third"
    assert ledger.states() == ["undone", "published", "published"]
    assert ledger.undo() == "second"


def test_what_a_person_wrote_is_protected_again_once_it_is_brought_back(ledger: Ledger) -> None:
    ledger.take_in(product())
    published(ledger, "first", "ours")
    ledger.take_in(product(description="By hand."))
    ledger.undo()

    assert ledger.undo(to=3) == "By hand."
    assert ledger.plan("again", everything=True).skipped == {"text edited by a person": 1}


def test_a_version_that_is_shown_or_was_never_is_not_brought_back(ledger: Ledger) -> None:
    ledger.take_in(product())
    published(ledger, "first", "ours")

    with pytest.raises(InputError, match="version 2 is the description that 'sku1' shows"):
        ledger.undo(to=2)
    with pytest.raises(NotFound, match=r"no version 7: `copydesk history sku1`"):
        ledger.undo(to=7)
    assert ledger.live() == "ours"


# A whole run ---------------------------------------------------------------------------------------------------------


def test_a_run_is_undone_and_what_is_not_its_own_stays(ledger: Ledger) -> None:
    ledger.take_in(*some(5))
    run = published(ledger, "first", "ours {sku}", skus=["sku1", "sku2", "sku3", "sku4"])
    published(ledger, "other", "later {sku}", skus=["sku2", "sku5"])
    ledger.take_in(product(3, description="By hand."))
    ledger.undo("sku4")

    assert undo_run(ledger, run) == Undone(1, by_person=1, replaced=1)
    shown = [ledger.live(f"sku{place}") for place in range(1, 6)]
    assert shown == ["<p>old 1</p>", "later sku2", "By hand.", "<p>old 4</p>", "later sku5"]
    assert undo_run(ledger, run) == Undone(0, by_person=1, replaced=1)


def test_a_draft_that_a_person_edited_before_it_went_live_is_left_live(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run
    ledger.write(run)
    ledger.decide(ledger.drafts()[0].id, Status.APPROVED, "By hand.")
    ledger.decide(ledger.drafts()[1].id, Status.APPROVED)
    ledger.publish()

    assert undo_run(ledger, run) == Undone(1, by_person=1)
    assert (ledger.live("sku1"), ledger.live("sku2")) == ("By hand.", "<p>old 2</p>")


def test_a_text_that_came_back_when_a_later_run_was_undone_is_undone_with_its_own_run(ledger: Ledger) -> None:
    ledger.take_in(product())
    first, second = published(ledger, "first", "first"), published(ledger, "second", "second")

    assert undo_run(ledger, second) == Undone(1)
    assert ledger.live() == "first"
    assert undo_run(ledger, first) == Undone(1)
    assert ledger.live() == "<p>old 1</p>"
    assert ledger.states() == ["undone", "undone"]


def test_a_run_of_another_kind_is_undone_in_its_own_kind(ledger: Ledger) -> None:
    ledger.take_in(product())
    published(ledger, "first", "ours")
    title = published(ledger, "title", "A title", kind=SEO)

    assert undo_run(ledger, title) == Undone(1)
    assert (ledger.live(), ledger.live(kind=SEO)) == ("ours", "")


def test_an_unknown_run_is_named(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no run 7"):
        undo_run(ledger, 7)


def test_two_who_undo_a_run_at_once_take_each_text_back_once(ledger: Ledger) -> None:
    ledger.take_in(*some(20))
    run = published(ledger, "first", "ours {sku}")

    done = at_once([lambda: undo_run(ledger, run) for _ in range(2)])

    assert sum(one.undone for one in done) == 20
    assert [len(ledger.history(f"sku{place}")) for place in range(1, 21)] == [3] * 20


def test_stopped_between_two_batches_the_rest_of_a_run_is_undone_by_the_same_command(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "DECIDED_AT_ONCE", 2)
    ledger.take_in(*some(5))
    run = published(ledger, "first", "ours {sku}")
    undo_some = texts.undo_some

    def away(*_: Any, **__: Any) -> Undone:
        raise StoreUnavailable("gone")

    def once(*args: Any, **how: Any) -> Undone:
        monkeypatch.setattr(texts, "undo_some", away)
        return undo_some(*args, **how)

    monkeypatch.setattr(texts, "undo_some", once)
    with pytest.raises(StoreUnavailable):
        undo_run(ledger, run)
    assert ledger.live("sku2") == "<p>old 2</p>"
    assert ledger.live("sku3") == "ours sku3"

    monkeypatch.setattr(texts, "undo_some", undo_some)
    assert undo_run(ledger, run) == Undone(3)
    assert [ledger.live(f"sku{place}") for place in range(1, 6)] == [f"<p>old {place}</p>" for place in range(1, 6)]


# Byte for byte -------------------------------------------------------------------------------------------------------

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
PIECES = [
    *("<p>", "</p>", "<br>", "<img src='x'>", "&amp;", "\r\n", "\r", "\n\n", "\t", "%s", "{sku}", "\\", "'", '"', " "),
    *("🫖", "👩\u200d👩\u200d👧", "e\u0301", "\u200b", "\ufeff", "\U0010ffff", "保温杯", "，", "word"),
]
TEXTS = STORABLE | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
SHOPS = (f"shop-{number}" for number in count())


def products_with(descriptions: list[tuple[str, TextFormat]]) -> list[Product]:
    return [
        Product(f"sku{place}", Facts(f"Thing {place}", attributes=(("Colour", "red"),)), text, kind, Dialect.SHOPIFY)
        for place, (text, kind) in enumerate(descriptions, start=1)
    ]


@settings(derandomize=True, database=None, deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(TEXTS, st.sampled_from(TextFormat), TEXTS.filter(str.strip)), min_size=1, max_size=12))
def test_undo_of_a_run_is_byte_identical_whatever_the_texts(
    ledger: Ledger, written: list[tuple[str, TextFormat, str]]
) -> None:
    shop = Ledger(ledger.database, next(SHOPS))
    shop.take_in(*products_with([(before, kind) for before, kind, _ in written]))
    run = shop.plan(chunk_size=100).run
    drafts = shop.drafts(run=run)
    shop.write(run, text="ours")
    for draft, (_, _, after) in zip(drafts, written, strict=True):
        shop.decide(draft.id, Status.APPROVED, after)
    publishing.publish(shop.database, shop.shop_id, by="ann")
    for place, (before, _, _) in enumerate(written, start=1):
        assert shop.undo(f"sku{place}") == before

    again = published(shop, "again", "ours {sku}")
    assert all("ours" in (shop.live(f"sku{place}") or "") for place in range(1, len(written) + 1))
    assert undo_run(shop, again) == Undone(len(written))
    assert [shop.live(f"sku{place}") for place in range(1, len(written) + 1)] == [before for before, _, _ in written]


def test_undo_after_a_thousand_published_texts_is_byte_identical(ledger: Ledger) -> None:
    """All of any characters, half of them HTML; one in ten was edited by a person since, and is left."""
    random = Random(6)
    before = {f"sku{place}": anything(random) for place in range(1, 1001)}
    kinds = [random.choice(list(TextFormat)) for _ in before]
    ledger.take_in(*products_with(list(zip(before.values(), kinds, strict=True))))
    run = ledger.approved(text="New words about {sku}.\n\nAnd more & <more>.", chunk_size=250)
    assert publishing.publish(ledger.database, ledger.shop_id, by="ann") == Published(1000)
    edited = {sku: f"By hand: {sku}" for sku in list(before)[::10]}
    ledger.take_in(*products_with([(edited.get(sku) or ledger.live(sku) or "", kind)
                                   for sku, kind in zip(before, kinds, strict=True)]))  # fmt: skip

    assert undo_run(ledger, run) == Undone(900, by_person=100)
    assert {sku: ledger.live(sku) for sku in before} == {**before, **edited}


def anything(random: Random) -> str:
    pieces = [
        random.choice(PIECES) if random.random() < 0.7 else character(random) for _ in range(random.randint(1, 40))
    ]
    return "x" + "".join(pieces)


def character(random: Random) -> str:
    point = random.choice([random.randint(1, 0xD7FF), random.randint(0xE000, 0x10FFFF)])
    return chr(point)
