"""What holds of the ledger whatever is done to it, in any order and by several at once; on both databases.

Operations are drawn by hypothesis, the same ones every time. A trigger writes down every move of a draft.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import count, pairwise
from random import Random
from typing import Any, NamedTuple, TypeVar

import pytest
import sqlalchemy as sa
from databases import PATIENCE_SECONDS, Ledger, Meanwhile, at_once, product, some
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from copydesk.errors import IllegalMove, InputError
from copydesk.jobs import comparing, retry, upkeep
from copydesk.model import LEGAL_MOVES, OPEN, Lane, Status
from copydesk.store import Database, drafts, runs, tables, texts
from copydesk.store import comparing as comparisons
from copydesk.store.runs import State

PRODUCTS = 4
MAX_RUNS = 6
MAX_ATTEMPTS = 3
WORKERS = 3
COLOURS = ("red", "blue", "green")
ROUNDS = 4
"""Of sweep, bells and work, after which every run that is not paused has ended; one for what is written again."""

Made = TypeVar("Made")

SAME_EVERY_TIME = settings(
    derandomize=True, database=None, deadline=None, max_examples=10, stateful_step_count=60,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
AT_ONCE = settings(SAME_EVERY_TIME, max_examples=10, phases=[Phase.generate])  # what threads do is not repeated exactly

_COLUMNS = ("state", "outcome", "text", "attempt")
_BOTH = [f"{row}.{column}" for column in _COLUMNS for row in ("old", "new")]
_WRITE_DOWN = f"INSERT INTO moves (draft, {', '.join(f'{name}_was, {name}' for name in _COLUMNS)}) VALUES (new.id, "  # noqa: S608
_WRITE_DOWN += f"{', '.join(_BOTH)});"
_MOVES = "CREATE TABLE moves (id {id}, draft INTEGER, state_was TEXT, state TEXT, outcome_was TEXT, outcome TEXT, "
_MOVES += "text_was TEXT, text TEXT, attempt_was INTEGER, attempt INTEGER)"
AUDIT = {
    "sqlite": [
        _MOVES.format(id="INTEGER PRIMARY KEY"),
        f"CREATE TRIGGER audit AFTER UPDATE ON drafts BEGIN {_WRITE_DOWN} END",
    ],
    "postgresql": [
        _MOVES.format(id="BIGSERIAL PRIMARY KEY"),
        f"CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_WRITE_DOWN} RETURN NULL; END $$",
        "CREATE TRIGGER audit AFTER UPDATE ON drafts FOR EACH ROW EXECUTE FUNCTION audit()",
        "ALTER DATABASE {name} SET deadlock_timeout = 50",
    ],
}

DRAFTED = {Status.READY.value, Status.HELD.value, Status.FAILED.value}
DEAD = {Status.FAILED.value, Status.CANCELLED.value}
BY_PERSON = "a person's words"


class Books:
    """Reads what was done to a ledger, and says what of it must not be."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.write() as connection:
            for statement in AUDIT[connection.dialect.name]:
                connection.exec_driver_sql(statement.format(name=database.url.database))
        database.close()  # settings of a database are those of later connections

    def clear(self) -> None:
        self._looked_at = 0
        self._written: Counter[int] = Counter()
        with self._database.write() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                connection.execute(sa.delete(table))
            connection.exec_driver_sql("DELETE FROM moves")

    def check(self) -> None:
        with self._database.read() as connection:
            moves = connection.execute(
                sa.text("SELECT * FROM moves WHERE id > :last ORDER BY id"), {"last": self._looked_at}
            ).all()
            found = connection.execute(sa.select(tables.drafts).order_by(tables.drafts.c.id)).all()
            done = set(connection.execute(sa.select(tables.chunks).where(tables.chunks.c.state == "done")).all())
            of_runs = connection.execute(sa.select(tables.runs)).all()
            lives = connection.execute(sa.select(tables.live_texts).order_by(tables.live_texts.c.id)).all()
        self._looked_at = max((move.id for move in moves), default=self._looked_at)
        _check_moves(moves, self._written)
        _check_drafts(found)
        for run in of_runs:
            closed = {row.number for row in done if row.run_id == run.id}
            _check_run(run, [draft for draft in found if draft.run_id == run.id], closed)
        for product_id in {live.product_id for live in lives}:
            _check_versions([live for live in lives if live.product_id == product_id])


def _check_moves(moves: Sequence[Any], written: Counter[int]) -> None:
    """`written` counts how often each draft was accepted before."""
    for move in moves:
        is_move = move.state != move.state_was
        assert not is_move or Status(move.state) in LEGAL_MOVES[Status(move.state_was)], f"an illegal move: {move}"
        is_redriven = move.state_was in DEAD and move.state == Status.PENDING.value and move.outcome is None
        is_resampled = move.state_was == Status.READY.value and move.state == Status.PENDING.value and not move.text
        is_twin = move.state_was == Status.READY.value and move.state == move.outcome == Status.HELD.value
        is_written_anew = is_redriven or is_resampled or is_twin
        assert move.outcome_was in (None, move.outcome) or is_written_anew, f"an outcome was written twice: {move}"
        is_settled = move.state_was == Status.WRITING.value and move.state in DRAFTED
        is_edited = move.text == BY_PERSON and move.state in (Status.APPROVED.value, Status.REJECTED.value)
        is_new = is_settled or is_edited or is_resampled
        assert move.text == move.text_was or is_new, f"an accepted text changed: {move}"
        written[move.draft] += is_settled
        written[move.draft] -= is_resampled or (is_redriven and move.state_was == Status.FAILED.value)
        assert written[move.draft] <= 1, f"accepted twice: {move}"


def _check_drafts(found: Sequence[Any]) -> None:
    is_open = {state.value for state in OPEN}
    owed = Counter((draft.product_id, draft.kind) for draft in found if draft.state in is_open)
    assert not owed or max(owed.values()) == 1, f"two open drafts of a product: {owed}"
    for draft in found:
        assert 0 <= draft.attempt <= MAX_ATTEMPTS, draft
        assert draft.state != Status.PENDING.value or draft.attempt < MAX_ATTEMPTS, draft
        assert draft.state != Status.WRITING.value or draft.attempt > 0, draft
        assert (draft.outcome is None) == (draft.state in is_open), draft
        assert draft.resampled <= comparing.RESAMPLED_AT_MOST, draft
        leased = {draft.lease_token is not None, draft.lease_until is not None}
        assert leased == {draft.state == Status.WRITING.value}, draft


def _check_run(run: Any, own: Sequence[Any], closed: set[int]) -> None:
    assert run.queued == len(own), f"{run} has {len(own)} drafts"
    left = [draft for draft in own if draft.outcome is None]
    assert not [draft for draft in left if draft.chunk in closed], f"a chunk of {run} is done and owes something"
    assert (run.finished_at is not None) == (run.state in (State.FINISHED, State.CANCELLED)), run
    if run.finished_at is not None:
        assert not left, f"{run} has ended and owes something"
        assert run.outcomes == Counter(draft.outcome for draft in own), run
        is_ready = Status.READY.value in {draft.state for draft in own}
        assert run.compared_at or run.state == State.CANCELLED or not is_ready, f"{run} was never compared"


def _check_versions(versions: Sequence[Any]) -> None:
    assert [live.version for live in versions] == list(range(1, len(versions) + 1)), versions
    assert [live.current for live in versions] == [False] * (len(versions) - 1) + [True], versions
    by_number = {live.version: live for live in versions}
    for before, live in pairwise(versions):
        assert not (before.by_person and live.origin == "draft"), f"a person's text was overwritten: {live}"
        if live.origin == "undo":
            assert live.text == by_number[before.undo_to].text, live


class Claim(NamedTuple):
    """One draft that a worker claimed at some time."""

    token: str
    run: int
    chunk: int
    draft: drafts.Claimed


class Hand:
    """Does to a ledger what workers, sweeps and people do; each operation is told by two small numbers.

    Args:
        is_alone: nobody else acts on the ledger, so that it is known beforehand what a worker may settle.
    """

    _numbers = count(1)

    def __init__(self, ledger: Ledger, name: str, *, is_alone: bool) -> None:
        self._ledger = ledger
        self.name = name
        self._is_alone = is_alone
        self._life = 0
        self._claims: list[Claim] = []
        self._bells: list[runs.Bell] = []

    def _do(self, action: Callable[[Any], Made]) -> Made:
        def transaction() -> Made:
            with self._ledger.database.write() as connection:
                return action(connection)

        return retry.persist(transaction, for_seconds=PATIENCE_SECONDS)

    def _run(self, connection: Any, place: int) -> int:
        ids = connection.scalars(sa.select(tables.runs.c.id).order_by(tables.runs.c.id)).all()
        return int(ids[place % len(ids)])

    def _chunk(self, connection: Any, place: int, *, is_open: bool = False) -> tuple[int, int]:
        keys = (tables.chunks.c.run_id, tables.chunks.c.number)
        query = sa.select(*keys).order_by(*keys)
        left = connection.execute(query.where(tables.chunks.c.state != "done")).all() if is_open else ()
        found = left or connection.execute(query).all()
        run, number = found[place % len(found)]
        return int(run), int(number)

    # A worker ---------------------------------------------------------------------------------------------------------

    def claim(self, place: int, how: int) -> None:
        def action(connection: Any) -> list[Claim]:
            run, chunk = self._chunk(connection, place, is_open=how > 0)
            token = f"{self.name}.{self._life}.{run}.{chunk}"
            taken = drafts.claim(connection, run, chunk, token=token, lease_seconds=600, alone=how % 3 == 2)
            return [Claim(token, run, chunk, one) for one in taken]

        self._claims += self._do(action)

    def settle(self, place: int, how: int) -> None:
        """Whatever this worker ever claimed, also when it has been settled or was taken away since."""
        if not self._claims:
            return
        token = self._claims[-1 - place % len(self._claims)].token
        mine = list({one.draft.id: one.draft for one in self._claims if one.token == token}.values())[how % 2 :]
        statuses = [(Status.READY, Status.HELD, Status.FAILED)[(how + turn) % 3] for turn in range(len(mine))]
        made = [drafts.Outcome(one.id, status, self._words()) for one, status in zip(mine, statuses, strict=True)]

        def action(connection: Any) -> None:
            expected = self._acceptable(connection, token, [one.id for one in mine]) if self._is_alone else None
            settled = drafts.settle(connection, token, made)
            assert expected in (None, settled.accepted), f"{expected} could be settled, {settled} was"
            assert len(settled.accepted) + settled.stale + settled.fenced == len(made), settled

        self._do(action)

    def _words(self) -> str:
        """Now and then what somebody else wrote too."""
        number = next(self._numbers)
        return "the same text" if number % 5 == 0 else f"text {number}"

    def _acceptable(self, connection: Any, token: str, ids: Sequence[int]) -> set[int]:
        own, of = tables.drafts, tables.products
        query = sa.select(own.c.id).join(of, of.c.id == own.c.product_id)
        is_held = sa.and_(own.c.state == "writing", own.c.lease_token == token, own.c.facts_hash == of.c.facts_hash)
        return set(connection.scalars(query.where(own.c.id.in_(ids), is_held)))

    def let_go(self, place: int, how: int) -> None:
        if not self._claims:
            return
        token, run, chunk, _ = self._claims[-1 - place % len(self._claims)]
        held = [one.draft.id for one in self._claims if one.token == token]
        crashed = ((), held[:1], held)[how % 3]
        pauses = retry.crash_pauses(MAX_ATTEMPTS)
        self._do(lambda connection: drafts.let_go(connection, run, chunk, token, crashed=crashed, pauses=pauses))

    def renew(self, place: int, how: int) -> None:
        if self._claims:
            token, run, chunk, _ = self._claims[-1 - place % len(self._claims)]
            self._do(lambda connection: drafts.renew(connection, run, chunk, token, 600))

    def die(self, place: int, how: int) -> None:
        """What this worker holds runs out; what it says later comes late."""
        own = tables.drafts.c
        lost = sa.update(tables.drafts).where(own.state == "writing", own.lease_token.startswith(f"{self.name}."))
        self._do(lambda connection: connection.execute(lost.values(lease_until=tables.now(-1))))
        self._life += 1
        if how:
            self.return_expired(place, how)
            self.time_passes(place, how)

    def end(self, place: int, how: int) -> None:
        """As a worker leaves a chunk."""

        def action(connection: Any) -> None:
            run, chunk = self._chunk(connection, place)
            drafts.wait_for_next(connection, run, chunk, not_before_seconds=(0.0, 30.0)[how % 2])
            runs.close_chunks(connection, only=(run, chunk))
            runs.finalize(connection, run)

        self._do(action)

    # Sweeps and relays ------------------------------------------------------------------------------------------------

    def ring(self, place: int, how: int) -> None:
        lane = (Lane.CATALOG, Lane.REPLIES)[how % 2]
        self._bells = self._do(lambda connection: runs.claim_bells(connection, 1 + place % 3, lane))

    def unring(self, place: int, how: int) -> None:
        self._do(lambda connection: runs.unring(connection, self._bells[: 1 + how]))

    def return_expired(self, place: int, how: int) -> None:
        self._do(lambda connection: drafts.return_expired(connection, retry.crash_pauses(MAX_ATTEMPTS)))

    def wait_again(self, place: int, how: int) -> None:
        def action(connection: Any) -> None:
            heard = {self._chunk(connection, place)} if how % 2 else set()
            runs.wait_again(connection, heard, rung_before_seconds=-1)

        self._do(action)

    def close_chunks(self, place: int, how: int) -> None:
        self._do(runs.close_chunks)

    def finalize(self, place: int, how: int) -> None:
        self._do(lambda connection: runs.finalize(connection, self._run(connection, place)))

    def compare(self, place: int, how: int) -> None:
        """Begun for a moment only or for long, and done then; or by a sweep."""
        if how == 2:
            retry.persist(lambda: comparing.compare_due(self._ledger.database), for_seconds=PATIENCE_SECONDS)
            return

        def action(connection: Any) -> tuple[int, datetime | None]:
            run = self._run(connection, place)
            return run, comparisons.begin(connection, run, (-1, 600)[how])

        run, until = self._do(action)
        if until is not None:
            comparing.compare(self._ledger.database, run, until)

    def time_passes(self, place: int, how: int) -> None:
        self._do(let_time_pass)

    # People -----------------------------------------------------------------------------------------------------------

    def plan(self, place: int, how: int) -> None:
        def action(connection: Any) -> None:
            if connection.scalar(sa.select(sa.func.count()).select_from(tables.runs)) < MAX_RUNS:
                key = f"run {next(self._numbers)}"
                lane = (Lane.CATALOG, Lane.REPLIES)[place % 2]
                order = runs.Order(key, {}, {"en": "recipe"}, 1 + how % 3, everything=place < 3, lane=lane)
                runs.plan(connection, self._ledger.shop_id, order)

        self._do(action)

    def edit(self, place: int, how: int) -> None:
        edited = product(1 + place % PRODUCTS, COLOURS[how % 3])
        retry.persist(lambda: self._ledger.take_in(edited), for_seconds=PATIENCE_SECONDS)

    def pause(self, place: int, how: int) -> None:
        if how == 2:  # seldom as well
            with contextlib.suppress(IllegalMove):
                self._do(lambda connection: runs.pause(connection, self._run(connection, place)))

    def resume(self, place: int, how: int) -> None:
        with contextlib.suppress(IllegalMove):
            self._do(lambda connection: runs.resume(connection, self._run(connection, place)))

    def stop(self, place: int, how: int) -> None:
        """The sweep goes on with it, or somebody cancels some."""
        if how == 2:  # seldom: nothing much happens to a run afterwards
            self._do(lambda connection: runs.stop(connection, self._run(connection, place), "cancelled"))

    def cancel_some(self, place: int, how: int) -> None:
        def action(connection: Any) -> None:
            for run, why in runs.stopping(connection):
                drafts.cancel_some(connection, run, why)

        self._do(action)

    def redrive(self, place: int, how: int) -> None:
        def action(connection: Any) -> None:
            run = self._run(connection, place)
            before = runs.find(connection, run).state
            if drafts.take_up_again(connection, run, [Status.FAILED, Status.CANCELLED][: 1 + how % 2]):
                runs.reopen(connection, run, runs.NO_BUDGET)
            goes_on = before not in (State.PAUSED, State.STOPPING) or not self._is_alone
            assert goes_on or runs.find(connection, run).state == before, f"run {run} was {before}"

        self._do(action)

    def approve(self, place: int, how: int) -> None:
        self._do(lambda connection: drafts.approve_all(connection, self._run(connection, place), by="ann"))

    def decide(self, place: int, how: int) -> None:
        def action(connection: Any) -> None:
            own = tables.drafts.c
            settled = sa.select(own.id).where(own.outcome.is_not(None)).order_by(own.id)
            ids = connection.scalars(settled).all() or [0]
            to = (Status.APPROVED, Status.REJECTED)[how % 2]
            drafts.decide(connection, ids[place % len(ids)], to, by="ann", text=BY_PERSON if how == 2 else None)

        with contextlib.suppress(IllegalMove, InputError):
            self._do(action)

    def publish(self, place: int, how: int) -> None:
        def action(connection: Any) -> None:
            run = self._run(connection, place) if how % 2 else None
            texts.publish(connection, self._ledger.shop_id, run, by="ann", render=lambda text, _: text)

        self._do(action)

    def undo(self, place: int, how: int) -> None:
        sku = f"sku{1 + place % PRODUCTS}"
        with contextlib.suppress(InputError):
            self._do(lambda connection: texts.undo(connection, self._ledger.shop_id, sku, by="ann"))

    def undo_run(self, place: int, how: int) -> None:
        def action(connection: Any) -> None:
            run = self._run(connection, place)
            texts.undo_some(connection, run, texts.published_by(connection, run), by="ann", kind="description")

        self._do(action)


OFTEN = {
    "claim": 10, "settle": 10, "let_go": 4, "return_expired": 4, "plan": 3, "edit": 3, "die": 3, "decide": 3,
    "publish": 3, "redrive": 3, "undo": 2, "end": 2, "time_passes": 2, "compare": 3,
}  # fmt: skip
"""How many times as often as the others."""

OPERATIONS = [name for name in vars(Hand) if not name.startswith("_") for _ in range(OFTEN.get(name, 1))]


def let_time_pass(connection: Any) -> None:
    """Pauses are over, every bell was rung long ago, and whoever compared is gone."""
    for table in (tables.drafts, tables.chunks):
        later = sa.update(table).where(table.c.next_attempt_at.is_not(None))
        connection.execute(later.values(next_attempt_at=tables.now(-1)))
    connection.execute(sa.update(tables.chunks).values(rung_at=tables.now(-60)))
    left = sa.update(tables.runs).where(tables.runs.c.comparing_until.is_not(None))
    connection.execute(left.values(comparing_until=tables.now(-1)))


def drive_to_the_end(ledger: Ledger) -> None:
    """Leases run out; then sweep, ring and write until every run that is not paused has ended."""
    with ledger.database.write() as connection:
        writing = sa.update(tables.drafts).where(tables.drafts.c.state == "writing")
        connection.execute(writing.values(lease_until=tables.now(-1)))
    for _ in range(ROUNDS):
        with ledger.database.write() as connection:
            let_time_pass(connection)
        upkeep.sweep(ledger.database, max_attempts=MAX_ATTEMPTS, heard=(), rule_is_on=lambda shop: False)
        for bell in [*ledger.bells(100), *ledger.bells(100, Lane.REPLIES)]:
            work(ledger, bell.run, bell.chunk)
    with ledger.database.read() as connection:
        left = [run for run in runs.latest(connection) if run.finished_at is None]
    assert {run.state for run in left} <= {State.PAUSED}, f"these never end: {left}"
    assert all(run.settled < run.queued for run in left), f"nothing is left of these: {left}"


def work(ledger: Ledger, run: int, chunk: int) -> None:
    for alone in (False, True):
        while claimed := ledger.claim(run, chunk, token=f"last {run}.{chunk}", alone=alone):
            made = [drafts.Outcome(one.id, Status.READY, f"last {one.id}") for one in claimed]
            ledger.settle(*made, token=f"last {run}.{chunk}")
    with ledger.database.write() as connection:
        drafts.wait_for_next(connection, run, chunk)
        runs.close_chunks(connection, only=(run, chunk))
        runs.finalize(connection, run)


def check_that_all_ends(ledger: Ledger, books: Books) -> None:
    drive_to_the_end(ledger)
    with ledger.database.write() as connection:
        paused = [run.id for run in runs.latest(connection) if run.state == State.PAUSED]
        for run in paused:
            runs.resume(connection, run)
    if paused:
        drive_to_the_end(ledger)
    books.check()
    with ledger.database.read() as connection:
        assert drafts.open_ones(connection) == 0
        assert {run.finished_at is None for run in runs.latest(connection)} == {False}


def begun(database: Database) -> Ledger:
    """A shop with a few products, of which a run is planned."""
    ledger = Ledger(database)
    ledger.take_in(*some(PRODUCTS))
    ledger.plan("first", chunk_size=3)
    return ledger


numbers = st.integers(0, 2**64 - 1)


def drawn(number: int) -> tuple[str, int, int]:
    """An operation and its two numbers, each as likely: left to itself hypothesis draws the same ones over and over."""
    chance = Random(number)
    return chance.choice(OPERATIONS), chance.randrange(6), chance.randrange(3)


def machine_on(database: Database, books: Books) -> type[RuleBasedStateMachine]:
    """Each of the operations in any order, and after each of them everything that has to hold."""

    class LedgerMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            books.clear()
            self.ledger = begun(database)
            self.hands = [Hand(self.ledger, f"worker {number}", is_alone=True) for number in range(2)]
            self.is_well = True

        @rule(number=numbers)
        def act(self, number: int) -> None:
            operation, place, how = drawn(number)
            who = number % len(self.hands)
            note(f"{self.hands[who].name}: {operation}({place}, {how})")
            self.is_well = False
            getattr(self.hands[who], operation)(place, how)
            books.check()
            self.is_well = True

        def teardown(self) -> None:
            if self.is_well:  # else the fault is known already
                check_that_all_ends(self.ledger, books)

    return LedgerMachine


@pytest.fixture
def books(database: Database) -> Books:
    return Books(database)


def test_whatever_is_done_no_move_is_illegal_nothing_is_accepted_twice_and_every_run_ends(
    database: Database, books: Books
) -> None:
    run_state_machine_as_test(machine_on(database, books), settings=SAME_EVERY_TIME)  # type: ignore[no-untyped-call]


scripts = st.lists(numbers, min_size=5 * WORKERS, max_size=20 * WORKERS)


def test_whatever_is_done_at_once_no_move_is_illegal_nothing_is_accepted_twice_and_every_run_ends(
    database: Database, books: Books
) -> None:
    @AT_ONCE
    @given(scripts)
    def play(script: list[int]) -> None:
        books.clear()
        ledger = begun(database)
        at_once([part(ledger, number, script[number::WORKERS]) for number in range(WORKERS)])
        books.check()
        check_that_all_ends(ledger, books)

    play()


def part(ledger: Ledger, number: int, script: list[int]) -> Callable[[], None]:
    hand = Hand(ledger, f"worker {number}", is_alone=False)

    def play() -> None:
        for operation, place, how in map(drawn, script):
            getattr(hand, operation)(place, how)

    return play


# What two do at the same moment, made certain -------------------------------------------------------------------------


@pytest.fixture
def dead(ledger: Ledger) -> int:
    """A run whose drafts have all failed, and that nobody has ended yet."""
    ledger.take_in(*some(2))
    run = ledger.plan().run
    ledger.bells(1)
    ledger.settle(*[drafts.Outcome(one.id, Status.FAILED) for one in ledger.claim(run)])
    return run


@contextlib.contextmanager
def redriving(ledger: Ledger, run: int) -> Iterator[None]:
    with ledger.database.write() as connection:
        assert drafts.take_up_again(connection, run, [Status.FAILED]) == 2
        runs.reopen(connection, run, runs.NO_BUDGET)
        yield


def test_a_run_that_is_taken_up_again_while_somebody_ends_it_goes_on(
    ledger: Ledger, meanwhile: Meanwhile, dead: int
) -> None:
    with redriving(ledger, dead):
        ended = meanwhile.start(lambda: ledger.finalize(dead))

    assert ended.result(PATIENCE_SECONDS) is False
    assert ledger.run(dead).state == "running"


@pytest.mark.parametrize("only_this_one", [False, True])
def test_a_chunk_that_is_taken_up_again_while_somebody_closes_it_is_rung_once_more(
    ledger: Ledger, meanwhile: Meanwhile, dead: int, only_this_one: bool
) -> None:
    with redriving(ledger, dead):
        closed = meanwhile.start(lambda: ledger.close_chunks((dead, 0) if only_this_one else None))

    assert closed.result(PATIENCE_SECONDS) == 0
    assert [bell.chunk for bell in ledger.bells(1)] == [0]


def test_what_is_planned_anew_while_it_is_taken_up_again_is_written_once(
    ledger: Ledger, meanwhile: Meanwhile, dead: int
) -> None:
    def redrive() -> None:
        with ledger.database.write() as connection:
            drafts.take_up_again(connection, dead, [Status.FAILED])

    with ledger.database.write() as connection:
        runs.plan(connection, ledger.shop_id, runs.Order("again", {}, {"en": "recipe"}, 4))
        again = meanwhile.start(redrive)

    again.result(PATIENCE_SECONDS)
    assert sorted(ledger.states()) == ["failed", "failed", "pending", "pending"]


@pytest.mark.parametrize("state", [State.PAUSED, State.STOPPING])
def test_taking_dead_letters_up_again_neither_resumes_a_run_nor_lifts_its_budget(
    ledger: Ledger, dead: int, state: State
) -> None:
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(state=state.value, max_tokens=1_000, stopped_because="why"))
    with redriving(ledger, dead):
        pass

    found = ledger.run(dead)
    assert (found.state, found.budget, found.stopped_because) == (state, runs.Budget(max_tokens=1_000), "why")
