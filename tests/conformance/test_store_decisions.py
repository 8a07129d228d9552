"""Decisions: every legal and illegal move, the model's words kept beside a person's."""

import pytest
import sqlalchemy as sa
from databases import Ledger, at_once, outcome, product, some

from copydesk.errors import CopydeskError, IllegalMove, InputError, NotFound
from copydesk.model import LEGAL_MOVES, OPEN, Reason, Status
from copydesk.store import drafts, tables

DECISIONS = (Status.APPROVED, Status.REJECTED)
"""What a person can say of a draft; the other moves are the desk's own."""


def draft_in(ledger: Ledger, state: Status) -> int:
    """A draft put straight into a state."""
    ledger.take_in(product())
    ledger.plan()
    draft = ledger.drafts()[0].id
    with ledger.database.write() as connection:
        connection.execute(
            sa.update(tables.drafts).where(tables.drafts.c.id == draft).values(state=state.value, text="The model's.")
        )
    return draft


def test_the_table_of_moves_names_every_state() -> None:
    assert set(LEGAL_MOVES) == set(Status)
    assert {Status.PENDING, Status.WRITING} == OPEN


@pytest.mark.parametrize("state", Status)
def test_a_person_can_make_the_legal_moves_and_no_other(ledger: Ledger, state: Status) -> None:
    draft = draft_in(ledger, state)

    for to in Status:
        if to in LEGAL_MOVES[state]:
            continue
        with pytest.raises(IllegalMove) as refused:
            ledger.decide(draft, to)
        assert to not in DECISIONS or f"draft {draft} is {state.value}" in str(refused.value)
        assert ledger.states() == [state]
    for to in LEGAL_MOVES[state].intersection(DECISIONS):
        with ledger.database.write() as connection, connection.begin_nested() as undone:
            drafts.decide(connection, draft, to, by="ann")
            found = drafts.find(connection, draft)
            assert (found.state, found.decided_by, found.text) == (to, "ann", "The model's.")
            undone.rollback()


@pytest.mark.parametrize("state", Status)
@pytest.mark.parametrize("to", DECISIONS)
def test_a_person_can_reword_a_draft_only_where_it_may_go_or_already_is(
    ledger: Ledger, state: Status, to: Status
) -> None:
    draft = draft_in(ledger, state)

    if to in LEGAL_MOVES[state] or state is to:
        ledger.decide(draft, to, text="A person's.")
        found = ledger.drafts()[0]
        assert (found.state, found.text, found.model_text) == (to, "A person's.", "The model's.")
    else:
        with pytest.raises(IllegalMove):
            ledger.decide(draft, to, text="A person's.")
        assert ledger.drafts()[0].text == "The model's."


@pytest.mark.parametrize(("state", "to"), [(Status.APPROVED, Status.PUBLISHED), (Status.PUBLISHED, Status.UNDONE)])
def test_no_word_alone_makes_a_draft_published_or_undone(ledger: Ledger, state: Status, to: Status) -> None:
    """Only what changes the live text may say that it changed."""
    draft = draft_in(ledger, state)

    with pytest.raises(CopydeskError):
        ledger.decide(draft, to)
    assert ledger.states() == [state]


@pytest.mark.parametrize("to", [Status.READY, Status.HELD, Status.STALE])
def test_no_word_of_a_person_settles_a_draft_that_a_worker_is_writing(ledger: Ledger, to: Status) -> None:
    """It would have no outcome, and the run's counts would not add up."""
    draft = draft_in(ledger, Status.WRITING)

    with pytest.raises(CopydeskError):
        ledger.decide(draft, to)
    assert ledger.states() == ["writing"]


def test_the_models_words_are_kept_however_often_a_person_edits(ledger: Ledger) -> None:
    draft = draft_in(ledger, Status.HELD)

    ledger.decide(draft, Status.APPROVED, text="First edit.")
    ledger.decide(draft, Status.APPROVED, text="Second edit.\r\n 🫖 ")

    found = ledger.drafts()[0]
    assert (found.text, found.model_text) == ("Second edit.\r\n 🫖 ", "The model's.")


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_a_blank_text_is_refused(ledger: Ledger, text: str) -> None:
    draft = draft_in(ledger, Status.READY)
    with pytest.raises(InputError, match="reject the draft"):
        ledger.decide(draft, Status.APPROVED, text=text)
    assert ledger.states() == ["ready"]


def test_an_unknown_draft_is_named(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no draft 77"):
        ledger.decide(77, Status.APPROVED)


def test_a_draft_is_approved_and_rejected_at_once_by_one_of_the_two(ledger: Ledger) -> None:
    """Approved first, the rejection still counts; rejected first, the approval does: the last word stands."""
    draft = draft_in(ledger, Status.READY)

    at_once([lambda to=to: ledger.decide(draft, to) for to in DECISIONS])

    assert ledger.drafts()[0].state in DECISIONS


def test_approving_a_run_takes_its_ready_drafts_only(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    run = ledger.plan(skus=["sku1", "sku2", "sku3"]).run
    other = ledger.plan("other").run
    first, second, third = ledger.claim(run)
    ledger.settle(outcome(first), outcome(second, Status.HELD), outcome(third, Status.FAILED))
    ledger.write(other)

    with ledger.database.write() as connection:
        assert drafts.approve_all(connection, run, by="ann") == 1
        assert drafts.approve_all(connection, run, by="ann") == 0
    assert ledger.states() == ["approved", "held", "failed", "ready"]


def test_drafts_are_listed_by_every_condition(ledger: Ledger) -> None:
    other = Ledger(ledger.database, "other")
    ledger.take_in(*some(3))
    other.take_in(product())
    run = ledger.plan().run
    other.plan()
    first, *_ = ledger.claim(run)
    ledger.settle(drafts.Outcome(first.id, Status.HELD, "text", (Reason("a.b", "why", "span"),)))

    assert [draft.sku for draft in ledger.drafts()] == ["sku1", "sku2", "sku3"]
    assert [draft.sku for draft in ledger.drafts(limit=2)] == ["sku1", "sku2"]
    assert [draft.sku for draft in ledger.drafts(run=run, state=Status.WRITING, sku="sku3")] == ["sku3"]
    assert [draft.id for draft in ledger.drafts(ids=[first.id, 999])] == [first.id]
    assert ledger.drafts(ids=[]) == []
    assert len(other.drafts()) == 1
    found = ledger.drafts(state=Status.HELD)[0]
    assert (found.reasons, found.language, found.kind) == ((Reason("a.b", "why", "span"),), "en", "description")
