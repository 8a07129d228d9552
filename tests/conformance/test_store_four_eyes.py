"""Four eyes: copy is approved once two different persons have said yes."""

import pytest
from databases import Ledger, Meanwhile, at_once, outcome, product, some

from copydesk.errors import IllegalMove
from copydesk.jobs import publishing
from copydesk.model import Status
from copydesk.store import drafts
from copydesk.store.drafts import Said
from copydesk.store.selecting import Which

YES, NO = Status.APPROVED, Status.REJECTED


@pytest.fixture(params=[Status.READY, Status.HELD])
def draft(ledger: Ledger, request: pytest.FixtureRequest) -> int:
    ledger.take_in(product())
    (claimed,) = ledger.claim(ledger.plan().run)
    ledger.settle(outcome(claimed, request.param))
    return claimed.id


def said(ledger: Ledger, draft: int, to: Status, by: str, text: str | None = None) -> Status:
    return ledger.decide(draft, to, text, by, four_eyes=True)


def found(ledger: Ledger) -> tuple[Status, str | None, str | None]:
    (one,) = ledger.drafts()
    return one.state, one.first_approved_by, one.decided_by


def test_the_first_yes_leaves_a_draft_where_it_waits_and_the_second_approves_it(ledger: Ledger, draft: int) -> None:
    before, *_ = found(ledger)

    assert said(ledger, draft, YES, "ann") == before
    assert found(ledger) == (before, "ann", None)
    assert ledger.publish().published == 0

    assert said(ledger, draft, YES, "bob") == YES
    assert found(ledger) == (YES, "ann", "bob")
    assert ledger.publish().published == 1


def test_the_same_persons_second_yes_is_refused_and_says_so(ledger: Ledger, draft: int) -> None:
    said(ledger, draft, YES, "ann")
    before = found(ledger)

    with pytest.raises(IllegalMove, match=r"your yes already \(ann\): a second person"):
        said(ledger, draft, YES, "ann")
    assert found(ledger) == before


def test_an_edit_is_its_writers_yes_and_voids_the_others(ledger: Ledger, draft: int) -> None:
    before, *_ = found(ledger)
    said(ledger, draft, YES, "ann")

    assert said(ledger, draft, YES, "bob", "Bob's words.") == before
    assert found(ledger) == (before, "bob", None)
    with pytest.raises(IllegalMove, match="bob"):
        said(ledger, draft, YES, "bob")
    assert said(ledger, draft, YES, "ann") == YES
    assert ledger.drafts()[0].text == "Bob's words."


def test_an_edit_after_the_approval_has_to_be_approved_again(ledger: Ledger, draft: int) -> None:
    said(ledger, draft, YES, "ann")
    said(ledger, draft, YES, "bob")

    assert said(ledger, draft, YES, "bob", "Other words.") == Status.READY
    assert found(ledger) == (Status.READY, "bob", None)
    assert ledger.publish().published == 0
    assert said(ledger, draft, YES, "ann") == YES


def test_a_no_of_either_voids_the_first_yes(ledger: Ledger, draft: int) -> None:
    said(ledger, draft, YES, "ann")

    assert said(ledger, draft, NO, "bob") == NO
    assert found(ledger) == (NO, None, "bob")


def test_a_rejected_draft_waits_again_for_two_persons(ledger: Ledger, draft: int) -> None:
    said(ledger, draft, NO, "bob")

    assert said(ledger, draft, YES, "bob") == Status.READY
    assert found(ledger) == (Status.READY, "bob", None)
    assert said(ledger, draft, YES, "ann") == YES


def test_of_two_who_say_yes_at_once_the_second_approves(ledger: Ledger, draft: int) -> None:
    before, *_ = found(ledger)

    states = at_once([lambda by=by: said(ledger, draft, YES, by) for by in ("ann", "bob")])

    assert sorted(states) == sorted([before, YES])
    assert found(ledger)[0] == YES


def test_a_yes_that_waited_for_the_same_persons_edit_is_no_second_one(
    ledger: Ledger, draft: int, meanwhile: Meanwhile
) -> None:
    with ledger.database.write() as connection:
        drafts.decide(connection, draft, YES, by="ann", text="Ann's words.", four_eyes=True)
        late = meanwhile.start(lambda: said(ledger, draft, YES, "ann"))

    with pytest.raises(IllegalMove, match="ann"):
        late.result(30)
    assert found(ledger)[1] == "ann"


def test_many_need_two_persons_too(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    first, second, third = ledger.claim(ledger.plan().run)
    ledger.settle(outcome(first), outcome(second), outcome(third, Status.HELD, ""))
    said(ledger, first.id, YES, "bob")

    def say(by: str, to: Status = YES) -> Said:
        return publishing.decide_all(ledger.database, Which(), to, by=by, four_eyes=True)

    assert say("ann") == Said(decided=1, first=1, without_text=1)
    assert say("ann") == Said(already=1, without_text=1)
    assert say("bob") == Said(decided=1, without_text=1)
    assert ledger.states() == ["approved", "approved", "held"]
    assert [one.decided_by for one in ledger.drafts()] == ["ann", "bob", None]


def test_a_no_to_many_voids_first_yeses(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    ledger.write(ledger.plan().run)
    publishing.decide_all(ledger.database, Which(), YES, by="ann", four_eyes=True)

    assert publishing.decide_all(ledger.database, Which(), NO, by="bob", four_eyes=True) == Said(decided=2)
    assert [one.first_approved_by for one in ledger.drafts()] == [None, None]


def test_without_the_option_one_person_is_enough(ledger: Ledger, draft: int) -> None:
    assert ledger.decide(draft, YES) == YES
    assert found(ledger) == (YES, None, "ann")
