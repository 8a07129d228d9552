"""The one filter of drafts: each condition alone and together, and decisions on many at once."""

from typing import Any

import pytest
from databases import Ledger, product, some

from copydesk.errors import StoreUnavailable
from copydesk.jobs import publishing
from copydesk.model import Facts, Product, Reason, Status
from copydesk.store import drafts, selecting
from copydesk.store.drafts import Said
from copydesk.store.selecting import Which

REMARK = Reason("facts.materials", "says oak", "oak", warns=True)
REFUSAL = Reason("facts.numbers", "says 3 kg", "3 kg")


def named(sku: str, category: str = "Things", language: str = "en") -> Product:
    made = product()
    facts = Facts(sku, "Ridgeway", category, (("Colour", "red"),), language)
    return Product(sku, facts, made.description, made.text_format, made.dialect, made.source)


@pytest.fixture
def catalog(ledger: Ledger) -> Ledger:
    """Four drafts: ready, ready with a remark, held with a text, held without one."""
    ledger.take_in(named("lamp-1", "Lamps"), named("Lamp-2", "Desk Lamps"), named("mug_1"), named("mugs1"))
    run = ledger.plan().run
    settled = [
        (Status.READY, "One.", ()),
        (Status.READY, "Two.", (REMARK,)),
        (Status.HELD, "Three.", (REFUSAL, REMARK)),
        (Status.HELD, "", (REFUSAL,)),
    ]
    ledger.settle(
        *[
            drafts.Outcome(claimed.id, status, text, reasons)
            for claimed, (status, text, reasons) in zip(ledger.claim(run), settled, strict=True)
        ]
    )
    return ledger


def skus(ledger: Ledger, **conditions: Any) -> list[str]:
    return [draft.sku for draft in ledger.drafts(**conditions)]


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, ["lamp-1", "Lamp-2", "mug_1", "mugs1"]),
        ({"state": Status.READY}, ["lamp-1", "Lamp-2"]),
        ({"state": (Status.READY, Status.HELD)}, ["lamp-1", "Lamp-2", "mug_1", "mugs1"]),
        ({"kind": "description"}, ["lamp-1", "Lamp-2", "mug_1", "mugs1"]),
        ({"kind": "seo_title"}, []),
        ({"language": "en"}, ["lamp-1", "Lamp-2", "mug_1", "mugs1"]),
        ({"language": "zh"}, []),
        ({"sku_like": "lamp-*"}, ["lamp-1", "Lamp-2"]),
        ({"sku_like": "*-?"}, ["lamp-1", "Lamp-2"]),
        ({"sku_like": "mug_*"}, ["mug_1"]),
        ({"sku_like": "mug?1"}, ["mug_1", "mugs1"]),
        ({"sku_like": "lamp"}, []),
        ({"sku_like": "%"}, []),
        ({"category": "*lamps"}, ["lamp-1", "Lamp-2"]),
        ({"category": "Lamps"}, ["lamp-1"]),
        ({"reason": "facts.numbers"}, ["mug_1", "mugs1"]),
        ({"reason": "facts.materials"}, ["Lamp-2", "mug_1"]),
        ({"reason": "facts"}, []),
        ({"no_warnings": True}, ["lamp-1", "mugs1"]),
        ({"limit": 2}, ["lamp-1", "Lamp-2"]),
        ({"state": Status.HELD, "reason": "facts.materials", "sku_like": "mug*", "limit": 5}, ["mug_1"]),
    ],
)
def test_every_condition_holds_of_what_is_found(catalog: Ledger, conditions: dict[str, Any], found: list[str]) -> None:
    assert skus(catalog, **conditions) == found
    with catalog.database.read() as connection:
        which = Which(**conditions)
        ids = list(selecting.ids(connection, which))
        assert ids == [draft.id for draft in catalog.drafts(**conditions)]
        assert sum(selecting.counted(connection, which).values()) == len(found)


@pytest.mark.parametrize("glob", ["\\", "a\\*", "100%", "_", "*%*", "[a-z]*", "'; --"])
def test_what_is_special_in_sql_is_not_in_a_glob(catalog: Ledger, glob: str) -> None:
    catalog.take_in(named(glob.replace("*", "x")))
    catalog.plan("more")

    assert skus(catalog, sku_like=glob) == [glob.replace("*", "x")]


def test_a_count_is_by_kind_and_state(catalog: Ledger) -> None:
    with catalog.database.read() as connection:
        assert selecting.counted(connection, Which(limit=3)) == {
            ("description", Status.HELD): 1,
            ("description", Status.READY): 2,
        }


def test_a_sample_is_of_what_was_chosen_and_no_more_than_there_is(catalog: Ledger) -> None:
    with catalog.database.read() as connection:
        drawn = drafts.sample(connection, Which(state=Status.READY), 1)
        assert [draft.state for draft in drawn] == [Status.READY]
        everything = drafts.sample(connection, Which(state=Status.HELD), 9)
    assert [draft.sku for draft in everything] == ["mug_1", "mugs1"]


def decide(ledger: Ledger, to: Status, by: str = "ann", **conditions: Any) -> Said:
    return publishing.decide_all(ledger.database, Which(**conditions), to, by=by)


def test_many_are_approved_and_those_without_a_text_are_left(catalog: Ledger) -> None:
    assert decide(catalog, Status.APPROVED, no_warnings=True) == Said(decided=1, without_text=1)
    assert decide(catalog, Status.APPROVED, state=Status.HELD) == Said(decided=1, without_text=1)
    assert catalog.states() == ["approved", "ready", "approved", "held"]
    assert [draft.decided_by for draft in catalog.drafts()] == ["ann", None, "ann", None]


def test_many_are_rejected_without_a_text_too(catalog: Ledger) -> None:
    assert decide(catalog, Status.REJECTED, reason="facts.numbers") == Said(decided=2)
    assert catalog.states() == ["ready", "ready", "rejected", "rejected"]


def test_what_has_been_decided_on_is_not_decided_on_again(catalog: Ledger) -> None:
    assert decide(catalog, Status.APPROVED, state=Status.READY) == Said(decided=2)

    assert decide(catalog, Status.REJECTED) == Said(decided=2)
    assert catalog.states() == ["approved", "approved", "rejected", "rejected"]


@pytest.mark.parametrize("to", [Status.APPROVED, Status.REJECTED])
def test_more_than_one_batch_is_decided_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, to: Status) -> None:
    monkeypatch.setattr(publishing, "DECIDED_AT_ONCE", 2)
    ledger.take_in(*some(5))
    ledger.write(ledger.plan().run)

    assert decide(ledger, to, limit=4) == Said(decided=4)
    assert ledger.states() == [*[to.value] * 4, "ready"]


def test_stopped_between_two_batches_the_rest_is_decided_on_by_the_same_word(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "DECIDED_AT_ONCE", 2)
    ledger.take_in(*some(5))
    ledger.write(ledger.plan().run)
    decide_some = drafts.decide_some

    def away(*_: Any, **__: Any) -> Said:
        raise StoreUnavailable("gone")

    def once(*args: Any, **how: Any) -> Said:
        monkeypatch.setattr(drafts, "decide_some", away)
        return decide_some(*args, **how)

    monkeypatch.setattr(drafts, "decide_some", once)
    with pytest.raises(StoreUnavailable):
        decide(ledger, Status.APPROVED)
    assert ledger.states() == ["approved", "approved", "ready", "ready", "ready"]

    monkeypatch.setattr(drafts, "decide_some", decide_some)
    assert decide(ledger, Status.APPROVED) == Said(decided=3)
    assert set(ledger.states()) == {"approved"}


def test_a_draft_of_another_shop_is_not_decided_on(catalog: Ledger) -> None:
    other = Ledger(catalog.database, "other")
    other.take_in(product())
    other.write(other.plan().run)

    assert decide(catalog, Status.APPROVED, shop="other") == Said(decided=1)
    assert catalog.states() == ["ready", "ready", "held", "held"]
