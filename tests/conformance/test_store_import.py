"""Import: what a catalog file changes, what it does not, and whose words the shop shows."""

from collections.abc import Iterator

import pytest
from databases import Ledger, Meanwhile, PostgreSQL, at_once, product, some

from copydesk.errors import InputError, NotFound, StoreUnavailable
from copydesk.model import Dialect, Status, TextFormat
from copydesk.store import Database, bulk, products, tables, texts
from copydesk.store.products import Imported


def take_in_texts(ledger: Ledger, **live: str) -> Imported:
    with ledger.database.write() as connection:
        return products.take_in_texts(connection, ledger.shop_id, live)


def is_protected(ledger: Ledger, sku: str = "sku1") -> bool:
    """Whether no run may write the product's text."""
    planned = ledger.plan("is it protected?", recipe="another", everything=True, skus=[sku])
    return planned.skipped == {"text edited by a person": 1}


@pytest.fixture
def published(ledger: Ledger) -> Ledger:
    """One product whose text we wrote and published."""
    ledger.take_in(product())
    ledger.approved(text="<p>ours</p>")
    ledger.publish()
    return ledger


def test_new_unchanged_and_changed_products_are_counted(ledger: Ledger) -> None:
    assert ledger.take_in(*some(3)) == Imported(new=3)
    assert ledger.take_in(*some(3)) == Imported(unchanged=3)
    assert ledger.take_in(product(1), product(2, "blue"), product(4)) == Imported(new=1, changed=1, unchanged=1)


def test_of_two_rows_with_one_key_the_last_counts(ledger: Ledger) -> None:
    assert ledger.take_in(product(1, "red", "first"), product(1, "blue", "second")) == Imported(new=1)
    assert ledger.live() == "second"
    assert dict(ledger.claim(ledger.plan().run)[0].facts.attributes) == {"Colour": "blue"}


def test_an_empty_batch_changes_nothing(ledger: Ledger) -> None:
    assert ledger.take_in() == Imported()


def test_facts_and_source_come_back_as_they_were(ledger: Ledger) -> None:
    made = product(1, "röd 🟥\t ' \" \\ %s", source={"Ünï": "x\r\ny", "": " "})
    ledger.take_in(made)

    assert ledger.claim(ledger.plan().run)[0].facts == made.facts
    assert ledger.take_in(made) == Imported(unchanged=1)


def test_the_same_key_in_two_shops_is_two_products(ledger: Ledger) -> None:
    other = Ledger(ledger.database, "other")
    ledger.take_in(product(description="here"))
    other.take_in(product(description="there"))

    assert (ledger.live(), other.live()) == ("here", "there")


@pytest.mark.parametrize("state", [Status.READY, Status.HELD, Status.APPROVED])
def test_edited_facts_make_a_finished_draft_stale(ledger: Ledger, state: Status) -> None:
    ledger.take_in(*some(2))
    ledger.write(ledger.plan().run, Status.HELD if state is Status.HELD else Status.READY)
    if state is Status.APPROVED:
        for draft in ledger.drafts():
            ledger.decide(draft.id, Status.APPROVED)

    assert ledger.take_in(product(1, "blue")).drafts_made_stale == 1

    assert [(draft.sku, draft.state) for draft in ledger.drafts()] == [("sku1", Status.STALE), ("sku2", state)]


@pytest.mark.parametrize("state", [Status.PENDING, Status.WRITING])
def test_edited_facts_leave_an_open_draft_to_the_worker(ledger: Ledger, state: Status) -> None:
    ledger.take_in(product())
    run = ledger.plan().run
    if state is Status.WRITING:
        ledger.claim(run)

    assert ledger.take_in(product(1, "blue")).drafts_made_stale == 0
    assert ledger.states() == [state]


def test_what_is_not_a_fact_makes_no_draft_stale(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan().run)

    edited = product(
        1, description="new", text_format=TextFormat.PLAIN, dialect=Dialect.JSONL, source={"Handle": "sku1"}
    )

    assert ledger.take_in(edited) == Imported(changed=1)
    assert ledger.states() == ["ready"]


def test_a_text_changed_in_the_shop_after_our_publication_is_a_persons(published: Ledger) -> None:
    published.take_in(product(description="By hand."))

    assert published.live() == "By hand."
    assert is_protected(published)


def test_a_person_who_edits_a_second_time_is_still_a_person(published: Ledger) -> None:
    published.take_in(product(description="By hand."))
    published.take_in(product(description="By hand, without the typo."))

    assert published.live() == "By hand, without the typo."
    assert is_protected(published)


def test_a_person_who_edits_over_words_reworded_by_a_person_is_still_a_person(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan().run)
    ledger.decide(ledger.drafts()[0].id, Status.APPROVED, text="Reworded.")
    ledger.publish()
    ledger.take_in(product(description="By hand."))

    assert is_protected(ledger)


def test_a_text_changed_before_we_ever_published_is_the_shops_and_may_be_rewritten(ledger: Ledger) -> None:
    ledger.take_in(product(description="one"))
    ledger.take_in(product(description="two"))

    assert ledger.live() == "two"
    assert not is_protected(ledger)


def test_our_own_text_coming_back_changes_nothing(published: Ledger) -> None:
    published.take_in(product(description="<p>ours</p>"))

    assert published.live() == "<p>ours</p>"
    assert not is_protected(published)


def test_an_older_version_in_a_file_is_ignored(published: Ledger) -> None:
    published.take_in(product())  # exported from the shop before we published

    assert published.live() == "<p>ours</p>"
    assert not is_protected(published)


def test_a_blank_cell_says_nothing_of_the_text(published: Ledger) -> None:
    for blank in ("", " ", "\n\t"):
        published.take_in(product(description=blank))

    assert published.live() == "<p>ours</p>"
    assert not is_protected(published)


def test_a_new_product_without_a_text_gets_one_and_undo_takes_it_away(ledger: Ledger) -> None:
    ledger.take_in(product(description=""))
    ledger.approved(text="ours")
    ledger.publish()
    assert ledger.live() == "ours"
    assert ledger.undo() == ""


def test_a_text_filled_in_by_the_shop_before_we_wrote_is_not_protected(ledger: Ledger) -> None:
    ledger.take_in(product(description=""))
    ledger.take_in(product(description="filled in"))

    assert ledger.live() == "filled in"
    assert not is_protected(ledger)


def test_edited_facts_of_a_protected_product_are_stored_all_the_same(published: Ledger) -> None:
    published.take_in(product(1, "blue", "By hand."))

    assert is_protected(published)
    assert published.drafts()[0].facts.attributes == (("Colour", "blue"),)


def test_texts_alone_leave_the_facts_and_name_unknown_products(ledger: Ledger) -> None:
    ledger.take_in(*some(2))

    imported = take_in_texts(ledger, sku1="fresh", sku2="<p>old 2</p>", nobody="x")

    assert imported == Imported(changed=1, unchanged=1, unknown=("nobody",))
    assert (ledger.live("sku1"), ledger.live("sku2")) == ("fresh", "<p>old 2</p>")


def test_texts_alone_of_a_person_are_protected_too(published: Ledger) -> None:
    take_in_texts(published, sku1="By hand.")
    assert is_protected(published)


def test_two_imports_of_one_new_catalog_at_once_both_succeed(ledger: Ledger, meanwhile: Meanwhile) -> None:
    """A person imports while the nightly job does."""
    with ledger.database.write() as connection:
        products.take_in(connection, ledger.shop_id, some(3))
        late = meanwhile.start(lambda: ledger.take_in(*some(3)))

    late.result(30)
    assert [ledger.live(f"sku{place}") for place in (1, 2, 3)] == ["<p>old 1</p>", "<p>old 2</p>", "<p>old 3</p>"]
    assert ledger.take_in(*some(3)) == Imported(unchanged=3)


def test_two_imports_of_edited_products_in_another_order_at_once_both_succeed(
    ledger: Ledger, meanwhile: Meanwhile
) -> None:
    ledger.take_in(*some(2))
    with ledger.database.write() as connection:
        products.take_in(connection, ledger.shop_id, [product(1, "blue")])
        late = meanwhile.start(lambda: ledger.take_in(product(2, "green"), product(1, "green")))
        products.take_in(connection, ledger.shop_id, [product(2, "blue")])

    assert late.result(30) == Imported(changed=2)


def test_an_import_of_a_persons_text_while_ours_is_published_protects_it(ledger: Ledger, meanwhile: Meanwhile) -> None:
    """Whichever comes first: nothing is lost, nobody sees a traceback."""
    ledger.take_in(product())
    ledger.approved(text="ours")
    with ledger.database.write() as connection:
        texts.publish(connection, ledger.shop_id, None, by="ann", render=lambda text, text_format: text)
        late = meanwhile.start(lambda: ledger.take_in(product(description="By hand.")))

    late.result(30)
    assert ledger.live() == "By hand."
    assert is_protected(ledger)


def test_imports_of_two_shops_at_once_give_each_product_an_id_of_its_own(ledger: Ledger) -> None:
    other = Ledger(ledger.database, "other")

    at_once([lambda: ledger.take_in(*some(200)), lambda: other.take_in(*some(200))])

    assert (ledger.take_in(*some(200)), other.take_in(*some(200))) == (Imported(unchanged=200),) * 2


def test_new_products_keep_the_files_order(ledger: Ledger) -> None:
    made = [product(number) for number in (3, 1, 2)]
    ledger.take_in(*made)
    ledger.approved()
    ledger.publish()

    with ledger.database.read() as connection:
        assert [live.sku for live in products.written_texts(connection, ledger.shop_id)] == ["sku3", "sku1", "sku2"]


def test_what_an_import_leaves_as_it_is_waits_for_nobody(postgresql_database: Database) -> None:
    ledger = Ledger(postgresql_database)
    ledger.take_in(*some(2))
    with postgresql_database.write() as connection:
        products.lock(connection, tables.products, tables.products.c.sku == "sku1")
        assert ledger.take_in(product(1), product(2, "blue")) == Imported(changed=1, unchanged=1)


def test_a_server_that_goes_away_in_the_middle_of_a_bulk_copy_is_unavailable(
    postgresql: PostgreSQL, postgresql_database: Database
) -> None:
    def rows(server: int) -> Iterator[tuple[str, str]]:
        postgresql.execute(f"SELECT pg_terminate_backend({server}, 30000)")
        for number in range(10_000):
            yield f"shop {number}", "2026-01-01"

    def copy() -> None:
        with postgresql_database.write() as connection:
            server = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            bulk.add_rows(connection, tables.shops, ("name", "created_at"), rows(server))

    with pytest.raises(StoreUnavailable):
        copy()

    with postgresql_database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM shops").scalar() == 0


def test_a_shop_and_a_product_are_found_by_name_or_refused_with_what_there_is(ledger: Ledger) -> None:
    other = Ledger(ledger.database, "other")
    ledger.take_in(*some(2))
    other.take_in(product(1))
    with ledger.database.read() as connection:
        assert products.find_shop(connection, "demo") == ledger.shop_id
        assert products.find_shop_of(connection, "sku2", None) == ledger.shop_id
        assert products.find_shop_of(connection, "sku1", "other") == other.shop_id
        products.check_known(connection, ledger.shop_id, ["sku1", "sku2"])
        with pytest.raises(NotFound, match=r"'elsewhere' \(shops: demo, other\)"):
            products.find_shop(connection, "elsewhere")
        with pytest.raises(InputError, match=r"demo, other.*--shop"):
            products.find_shop_of(connection, "sku1", None)
        with pytest.raises(NotFound, match="'nobody'"):
            products.find_shop_of(connection, "nobody", None)
        with pytest.raises(NotFound, match=r"'nobody'.*import"):
            products.check_known(connection, ledger.shop_id, ["sku1", "nobody"])
