"""What rules are made of, on both databases: the names of facts, and the descriptions that no model wrote."""

from databases import Ledger, product

from copydesk.model import TextFormat
from copydesk.store import specimens
from copydesk.store.specimens import Specimen


def own_descriptions(ledger: Ledger, limit: int = 10) -> list[Specimen]:
    with ledger.database.read() as connection:
        return list(specimens.own_descriptions(connection, ledger.shop_id, limit))


def test_facts_are_counted_by_the_products_that_have_them(ledger: Ledger) -> None:
    ledger.take_in(product(1), product(2), product(3, colour=""))
    Ledger(ledger.database, "other").take_in(product(4))
    with ledger.database.read() as connection:
        assert specimens.fact_names(connection, ledger.shop_id, 10) == {
            "Title": 3,
            "Brand": 3,
            "Category": 3,
            "Colour": 2,
        }
        assert specimens.fact_names(connection, ledger.shop_id, 1)["Title"] == 1


def test_a_shops_own_descriptions_are_those_it_brought_itself(ledger: Ledger) -> None:
    ledger.take_in(product(1), product(2, description=""), product(3, text_format=TextFormat.PLAIN, description="Own."))
    Ledger(ledger.database, "other").take_in(product(4))
    assert own_descriptions(ledger) == [
        Specimen("<p>old 1</p>", TextFormat.HTML),
        Specimen("Own.", TextFormat.PLAIN),
    ]
    assert len(own_descriptions(ledger, limit=1)) == 1


def test_what_a_model_wrote_is_no_specimen_until_it_is_taken_back(ledger: Ledger) -> None:
    ledger.take_in(product(1), product(2))
    ledger.publish(ledger.approved(skus=["sku1"]))
    assert own_descriptions(ledger) == [Specimen("<p>old 2</p>", TextFormat.HTML)]
    ledger.undo("sku1")
    assert len(own_descriptions(ledger)) == 2
