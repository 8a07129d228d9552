"""Kinds of copy beside each other: each is planned, published, undone, kept and exported for itself."""

from typing import Any

import pytest
import sqlalchemy as sa
from databases import Ledger, outcome, product, some

from copydesk.errors import InputError
from copydesk.jobs import publishing, upkeep
from copydesk.model import BATCH, REPLY, SENTIMENT, Status, TextFormat
from copydesk.store import products, retention, runs, tables
from copydesk.store.products import Beside
from copydesk.store.texts import Published

BULLETS, TITLE = "bullets", "seo_title"
INTO_CHINESE: dict[str, Any] = {"kind": "translation-zh", "language": "zh"}


def into_chinese(ledger: Ledger, run_key: str, **order: Any) -> runs.Planned:
    made = runs.Order(run_key, {"model": "recipe"}, {"zh": "recipe"}, 4, **INTO_CHINESE, **order)
    with ledger.database.write() as connection:
        return runs.plan(connection, ledger.shop_id, made)


def written(ledger: Ledger, kind: str, *beside: str) -> list[tuple[str, str, dict[str, str]]]:
    with ledger.database.read() as connection:
        rows = products.written_texts(connection, ledger.shop_id, kind, beside)
        return [(row.sku, row.text, dict(row.beside)) for row in rows]


def live(ledger: Ledger, run_key: str, kind: str, text: str, **order: Any) -> Published:
    """Plan a run of a kind, write it, approve it and put it live."""
    ledger.approved(run_key, text=text, kind=kind, **order)
    return ledger.publish(kind=kind)


def test_a_run_of_one_kind_leaves_open_drafts_of_another_alone(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    ledger.plan("first")

    bullets = ledger.plan("second", kind=BULLETS)

    assert (bullets.queued, dict(bullets.skipped)) == (2, {})
    assert ledger.run(bullets.run).kind == BULLETS
    assert {draft.kind for draft in ledger.drafts(run=bullets.run)} == {BULLETS}
    assert dict(ledger.plan("third", kind=BULLETS).skipped) == {runs.BEING_WRITTEN: 2}


def test_what_is_unchanged_is_told_kind_by_kind(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan("first").run)

    ledger.write(ledger.plan("second", kind=BULLETS).run)

    assert dict(ledger.plan("third", kind=BULLETS).skipped) == {"unchanged": 1}
    assert ledger.plan("fourth", kind=BULLETS, recipe="another").queued == 1
    assert dict(ledger.plan("fifth").skipped) == {"unchanged": 1}


def test_one_run_key_makes_a_run_of_each_kind(ledger: Ledger) -> None:
    ledger.take_in(product())
    made = [ledger.plan("night", kind=kind).created for kind in (BULLETS, TITLE, BULLETS)]
    assert made == [True, True, False]


def test_the_bell_of_a_run_names_its_kind(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.plan(kind=BULLETS)
    assert [bell.kind for bell in ledger.bells(5)] == [BULLETS]


def test_publishing_one_kind_leaves_the_others(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first", text="new text")

    assert live(ledger, "second", BULLETS, "- one") == Published(1, 0, 0)

    assert (ledger.live(), ledger.live(kind=BULLETS)) == ("<p>old 1</p>", "- one")
    assert ledger.publish() == Published(1, 0, 0)
    assert (ledger.live(), ledger.live(kind=BULLETS)) == ("new text", "- one")


def test_undoing_one_kind_leaves_the_others(ledger: Ledger) -> None:
    ledger.take_in(product())
    live(ledger, "first", "description", "new text")
    live(ledger, "second", BULLETS, "- one")
    live(ledger, "third", BULLETS, "- two", everything=True)

    assert ledger.undo(kind=BULLETS) == "- one"

    assert (ledger.live(), ledger.live(kind=BULLETS)) == ("new text", "- one")


def test_a_persons_words_protect_their_own_kind_and_no_other(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = ledger.approved("first", kind=BULLETS)
    ledger.decide(ledger.drafts(run=run)[0].id, Status.APPROVED, text="- by hand")
    ledger.publish(kind=BULLETS)

    assert dict(ledger.plan("second", kind=BULLETS, everything=True).skipped) == {"text edited by a person": 1}
    assert ledger.plan("third", kind=TITLE).queued == 1
    assert live(ledger, "fourth", "description", "new text") == Published(1, 0, 0)
    assert ledger.live(kind=BULLETS) == "- by hand"


def test_a_text_edited_in_the_shop_protects_only_the_description(ledger: Ledger) -> None:
    ledger.take_in(product())
    live(ledger, "first", "description", "new text")
    ledger.take_in(product(description="By hand."))

    assert dict(ledger.plan("second", everything=True).skipped) == {"text edited by a person": 1}
    assert live(ledger, "third", TITLE, "A title") == Published(1, 0, 0)


@pytest.mark.parametrize(("kind", "text"), [("description", "<p>a &amp; b</p>"), (BULLETS, "a & b")])
def test_only_descriptions_are_stored_as_the_shop_stores_them(ledger: Ledger, kind: str, text: str) -> None:
    ledger.take_in(product(text_format=TextFormat.HTML))
    ledger.approved(kind=kind, text="a & b")

    publishing.publish(ledger.database, ledger.shop_id, by="ann", kind=kind)

    assert ledger.live(kind=kind) == text


def test_the_rule_publishes_copy_of_every_kind(ledger: Ledger) -> None:
    ledger.take_in(product())
    for kind in ("description", BULLETS):
        ledger.write(ledger.plan(f"night {kind}", kind=kind, auto_publish=True).run, text=f"new {kind}")

    swept = upkeep.sweep(ledger.database, max_attempts=3, heard=(), rule_is_on=lambda shop: True)

    assert swept.published == 2
    assert ledger.live(kind=BULLETS) == "new bullets"


@pytest.mark.parametrize("kind", [BATCH, REPLY, SENTIMENT])
def test_what_is_no_copy_is_never_published_as_such(ledger: Ledger, kind: str) -> None:
    with pytest.raises(InputError, match="no kind of copy"):
        ledger.publish(kind=kind)


def test_old_copy_of_each_kind_is_removed_once_newer_has_its_place(ledger: Ledger) -> None:
    ledger.take_in(product())
    for key in ("first", "second"):
        for kind in (BULLETS, TITLE):
            ledger.write(ledger.plan(f"{key} {kind}", kind=kind, everything=True).run)
    with ledger.database.write() as connection:
        removed = retention.remove_some(connection, 0)

    assert removed == 2
    assert sorted(draft.kind for draft in ledger.drafts()) == [BULLETS, TITLE]


# Translations --------------------------------------------------------------------------------------------------------


def test_a_translation_is_in_the_language_asked_for_and_reads_the_live_text(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = into_chinese(ledger, "night").run

    (claimed,) = ledger.claim(run)

    assert claimed.live_text == "<p>old 1</p>"
    assert [(draft.kind, draft.language) for draft in ledger.drafts()] == [("translation-zh", "zh")]


def test_copy_that_is_no_translation_is_given_no_live_text(ledger: Ledger) -> None:
    ledger.take_in(product())
    (claimed,) = ledger.claim(ledger.plan(kind=BULLETS).run)
    assert claimed.live_text == ""


def test_what_needs_no_translation_or_has_no_text_is_left_out(ledger: Ledger) -> None:
    ledger.take_in(product(1, language="zh"), product(2, description=" "), product(3))

    planned = into_chinese(ledger, "night")

    assert planned.queued == 1
    assert dict(planned.skipped) == {"already in the language": 1, "no live text to translate": 1}


def test_another_live_text_makes_its_translation_due(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(into_chinese(ledger, "first").run)
    assert dict(into_chinese(ledger, "second").skipped) == {"unchanged": 1}

    live(ledger, "third", "description", "new text")

    assert into_chinese(ledger, "fourth").queued == 1


def test_a_translation_of_what_is_live_no_more_is_written_again_and_never_published(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = into_chinese(ledger, "first").run
    (claimed,) = ledger.claim(run)
    live(ledger, "second", "description", "new text")

    settled = ledger.settle(outcome(claimed, text="旧的译文"))

    assert settled.stale == 1
    (again,) = ledger.claim(run)
    assert again.live_text == "new text"
    assert [draft.language for draft in ledger.drafts(run=run)] == ["zh", "zh"]
    ledger.settle(outcome(again, text="译文"))
    ledger.decide(again.id, Status.APPROVED)
    ledger.undo()
    assert ledger.publish(kind="translation-zh") == Published(0, 1, 0)


def test_translations_into_two_languages_stand_beside_each_other(ledger: Ledger) -> None:
    ledger.take_in(product())
    for language in ("zh", "de"):
        order = runs.Order("night", {}, {language: "recipe"}, 4, kind=f"translation-{language}", language=language)
        with ledger.database.write() as connection:
            run = runs.plan(connection, ledger.shop_id, order).run
        ledger.write(run, text=f"text in {language}")
        with ledger.database.write() as connection:
            connection.execute(
                sa.update(tables.drafts).where(tables.drafts.c.run_id == run).values(state=Status.APPROVED.value)
            )
        ledger.publish(kind=f"translation-{language}")

    assert [ledger.live(kind=f"translation-{language}") for language in ("zh", "de")] == ["text in zh", "text in de"]


# What goes out -------------------------------------------------------------------------------------------------------


def test_texts_go_out_by_kind_with_others_beside_them(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    live(ledger, "first", "description", "new {sku}")
    live(ledger, "second", TITLE, "title {sku}", skus=["sku2"])

    assert written(ledger, TITLE) == [("sku2", "title sku2", {})]
    assert written(ledger, "description", TITLE) == [
        ("sku1", "new sku1", {}),
        ("sku2", "new sku2", {TITLE: "title sku2"}),
    ]


def test_which_texts_stand_beside_descriptions_is_counted(ledger: Ledger) -> None:
    known = product(1, source={"SEO title": ""})
    ledger.take_in(known, product(2), product(3), product(4))
    live(ledger, "first", "description", "new {sku}", skus=["sku1", "sku2", "sku3"])
    live(ledger, "second", TITLE, "title {sku}", skus=["sku3", "sku4"])

    with ledger.database.read() as connection:
        found = products.beside(connection, ledger.shop_id, TITLE, "SEO title")

    assert found == Beside(texts=1, alone=1, unknown=1)
