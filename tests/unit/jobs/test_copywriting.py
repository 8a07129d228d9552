"""One chunk of descriptions: claimed, asked for, judged and written down, whatever the engine does."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import databases
import pytest
from answering import Answering
from databases import Ledger
from engines import in_thread

from copydesk import guards, prompts
from copydesk.engine.base import Completion, Deliver, Finish, Request
from copydesk.engine.hosted import HostedEngine
from copydesk.engine.scripted import Behaviour, ScriptedBackend
from copydesk.errors import ConfigurationError, NotFound, StoreUnavailable
from copydesk.jobs import chunks, copywriting, judging
from copydesk.jobs.chunks import Tally
from copydesk.jobs.copywriting import Recipe, Wanted, plan, write_chunk
from copydesk.jobs.judging import sampling_for
from copydesk.model import Dialect, Facts, Product, Status, TextFormat
from copydesk.settings import Rules, Sampling, Settings, Shop
from copydesk.store import Database, drafts


def mug(number: int = 1, language: str = "en", **attributes: str) -> Product:
    facts = Facts(
        f"Enamel Mug {number}",
        "Ridgeway",
        "Mugs",
        (("Colour", "Blue"), ("Material", "Enamelled steel"), *attributes.items()),
        language,
    )
    return Product(f"mug{number}", facts, "<p>old</p>", TextFormat.HTML, Dialect.SHOPIFY)


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


@pytest.fixture
def scripted() -> Iterator[Callable[..., HostedEngine]]:
    """Opens scripted engines and closes them."""
    opened: list[HostedEngine] = []

    def open_one(behave: Callable[[Request], Behaviour | None] | None = None) -> HostedEngine:
        opened.append(in_thread(lambda: ScriptedBackend(behave=behave)))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.close()


def copy(request: Request) -> str:
    """A text that the guards let pass, with the volume where the facts have one."""
    facts = request.messages[-1].content
    title = next(line.removeprefix("- Title: ") for line in facts.splitlines() if line.startswith("- Title: "))
    volume = " It holds 350 ml." if "350 ml" in facts else ""
    return (
        f"{title} from Ridgeway is a blue mug of enamelled steel for the table at home.{volume} "
        f"Blue as it is, the {title} is easy to find on the shelf."
    )


def good(request: Request, index: int = 0) -> Completion:
    return Completion(request.id, index, copy(request), Finish.STOP, 10, 20)


def bad(request: Request, index: int = 0, text: str = "Sorry, I can't help with that.") -> Completion:
    return Completion(request.id, index, text, Finish.STOP, 10, 20)


def failed(request: Request, index: int = 0) -> Completion:
    return Completion(request.id, index, "", Finish.FAILED, error="out of memory")


def order(ledger: Ledger, key: str = "night", **values: object) -> int:
    """Plan a run of all that is due."""
    return plan(ledger.database, Settings(**values), ledger.shop, key).run


def written(
    ledger: Ledger, engine: object, run: int, chunk: int = 0, lease_seconds: float = 60
) -> tuple[Tally, list[str]]:
    """The tally, and the counts of what was told; test_chunks.py looks at the figures behind them."""
    told: list[str] = []
    tally = write_chunk(
        ledger.database,
        Settings().model_copy(update={"lease_seconds": lease_seconds}),
        engine,  # type: ignore[arg-type]
        run,
        chunk,
        told.append,
    )
    return tally, [line.partition(" | ")[0] for line in told]


def test_a_chunk_is_written_and_the_run_ended(ledger: Ledger, scripted: Callable[..., HostedEngine]) -> None:
    ledger.take_in(*map(mug, range(1, 6)))
    run = order(ledger)

    tally, told = written(ledger, scripted(), run)

    assert str(tally).partition(" | ")[0] == told[-1] == "5/5 ok, 0 held, 0 failed"
    found = ledger.drafts()
    assert {draft.state for draft in found} == {Status.READY}
    assert "Enamel Mug 3" in found[2].text
    assert (found[0].model, found[0].asks, found[0].attempt) == ("scripted", 1, 1)
    assert found[0].prompt == prompts.version("description", "en")
    assert found[0].sampling == Sampling().model_dump()
    assert ledger.run(run).state == "finished"
    assert ledger.run(run).completion_tokens > 0


def test_a_second_delivery_of_the_bell_asks_nothing(ledger: Ledger, scripted: Callable[..., HostedEngine]) -> None:
    ledger.take_in(mug())
    run = order(ledger)
    engine = scripted()
    written(ledger, engine, run)

    tally, told = written(ledger, engine, run)

    assert (tally, told, engine.stats().completed) == (Tally(), [], 1)


def test_the_chunks_of_a_run_are_written_apart(ledger: Ledger, scripted: Callable[..., HostedEngine]) -> None:
    ledger.take_in(*map(mug, range(1, 4)))
    run = order(ledger, chunk_size=2)

    assert written(ledger, scripted(), run, 1)[0].ready == 1
    assert ledger.run(run).state == "running"
    assert written(ledger, scripted(), run, 0)[0].ready == 2
    assert ledger.run(run).state == "finished"


def test_a_refused_text_is_asked_for_again_with_other_sampling(ledger: Ledger) -> None:
    ledger.take_in(mug())
    run = order(ledger, sampling=Sampling(seed=7))
    engine = Answering(lambda request: [bad(request) if len(engine.asked) == 1 else good(request)])

    assert written(ledger, engine, run)[0].ready == 1

    first, second = (request.sampling for request in engine.asked)
    assert first == Sampling(seed=7)
    assert second == sampling_for(first, 1) != first
    (draft,) = ledger.drafts()
    assert (draft.state, draft.asks, draft.reasons) == (Status.READY, 2, ())
    assert draft.sampling == second.model_dump()
    assert ledger.run(run).prompt_tokens == 20, "both asks are counted"


def test_a_marker_in_the_catalog_is_refused_once_and_then_written(
    ledger: Ledger, scripted: Callable[..., HostedEngine]
) -> None:
    ledger.take_in(mug(1, Note="[[scripted:refuse*1]]"))
    written(ledger, scripted(), order(ledger))

    assert [(draft.state, draft.asks) for draft in ledger.drafts()] == [(Status.READY, 2)]


@pytest.mark.parametrize("behaviour", [Behaviour.REFUSE, Behaviour.GARBAGE, Behaviour.CUT])
def test_a_text_refused_as_often_as_allowed_is_held_with_reasons(
    ledger: Ledger, scripted: Callable[..., HostedEngine], behaviour: Behaviour
) -> None:
    ledger.take_in(mug())
    engine = scripted(lambda request: behaviour)

    assert written(ledger, engine, order(ledger, max_asks=3))[0].held == 1

    (draft,) = ledger.drafts()
    assert (draft.state, draft.asks, engine.stats().completed) == (Status.HELD, 3, 3)
    assert draft.text
    assert draft.reasons


def test_the_text_that_breaks_the_fewest_rules_is_kept_for_the_person(ledger: Ledger) -> None:
    ledger.take_in(mug())
    run = order(ledger, max_asks=3)

    def answer(request: Request) -> list[Completion]:
        worse = "Sorry, I can't help with that."
        return [bad(request, text=[worse, f"It holds 98765 ml. {copy(request)}", worse][len(engine.asked) - 1])]

    engine = Answering(answer)
    written(ledger, engine, run)

    (draft,) = ledger.drafts()
    assert draft.text.startswith("It holds 98765 ml.")
    assert draft.reasons
    assert all("98765" in reason.span for reason in draft.reasons)


def test_of_a_text_whose_end_is_refused_what_stands_before_it_is_ready(ledger: Ledger) -> None:
    ledger.take_in(mug())
    engine = Answering(lambda request: [bad(request, text=f"{copy(request)} It holds 98765 ml.")])

    assert written(ledger, engine, order(ledger))[0].ready == 1

    (draft,) = ledger.drafts()
    assert (draft.text, draft.reasons, draft.asks) == (copy(engine.asked[0]), (), 1)


def test_any_text_is_kept_rather_than_none(ledger: Ledger) -> None:
    ledger.take_in(mug())
    engine = Answering(lambda request: [bad(request) if len(engine.asked) == 1 else failed(request)])
    written(ledger, engine, order(ledger, max_asks=2))

    (draft,) = ledger.drafts()
    assert (draft.state, draft.text) == (Status.HELD, "Sorry, I can't help with that.")
    assert "engine.failed" not in {reason.code for reason in draft.reasons}


@pytest.mark.parametrize(("behaviour", "word"), [(Behaviour.FAIL, "scripted to fail"), (Behaviour.OOM, "memory")])
def test_a_request_that_fails_as_often_as_allowed_is_a_failed_draft_with_the_engines_reason(
    ledger: Ledger, scripted: Callable[..., HostedEngine], behaviour: Behaviour, word: str
) -> None:
    ledger.take_in(mug())
    engine = scripted(lambda request: behaviour)

    assert written(ledger, engine, order(ledger, max_asks=2))[0].failed == 1

    (draft,) = ledger.drafts()
    assert (draft.state, draft.text, draft.asks) == (Status.FAILED, "", 2)
    assert [reason.code for reason in draft.reasons] == ["engine.failed"]
    assert word in draft.reasons[0].message


def test_a_model_that_says_nothing_fails_the_draft_with_a_reason(
    ledger: Ledger, scripted: Callable[..., HostedEngine]
) -> None:
    ledger.take_in(mug())
    written(ledger, scripted(lambda request: Behaviour.EMPTY), order(ledger, max_asks=2))

    (draft,) = ledger.drafts()
    assert (draft.state, draft.asks) == (Status.FAILED, 2)
    assert draft.reasons


def test_one_product_that_fails_does_not_touch_its_neighbours(
    ledger: Ledger, scripted: Callable[..., HostedEngine]
) -> None:
    ledger.take_in(mug(1), mug(2, Note="[[scripted:fail]]"), mug(3, Note="[[scripted:refuse]]"), mug(4))
    _, told = written(ledger, scripted(), order(ledger, max_asks=2))

    assert told[-1] == "2/4 ok, 1 held, 1 failed"
    assert ledger.states() == ["ready", "failed", "held", "ready"]
    assert ledger.run(1).outcomes == {"ready": 2, "held": 1, "failed": 1}


@pytest.mark.parametrize("facts", [Facts("Mug"), Facts("", "Ridgeway", "Mugs"), Facts(" ", " ", " ")])
def test_missing_facts_hold_the_draft_without_asking(ledger: Ledger, facts: Facts) -> None:
    ledger.take_in(Product("bare", facts, "", TextFormat.HTML, Dialect.SHOPIFY), mug())
    engine = Answering(lambda request: [good(request)])

    assert written(ledger, engine, order(ledger))[0].held == 1

    bare, _ = ledger.drafts()
    assert (bare.state, bare.asks, [reason.code for reason in bare.reasons]) == (Status.HELD, 0, ["facts.missing"])
    assert "add it to the catalog" in bare.reasons[0].message
    assert len(engine.asked) == 1


def test_a_chunk_without_anything_to_ask_is_still_settled(ledger: Ledger) -> None:
    ledger.take_in(Product("bare", Facts("Mug"), "", TextFormat.HTML, Dialect.SHOPIFY))
    run = order(ledger)

    assert written(ledger, Answering(lambda request: []), run)[1] == ["0/1 ok, 1 held, 0 failed"]
    assert ledger.run(run).state == "finished"


def test_a_product_whose_language_has_no_prompt_any_more_does_not_touch_its_neighbours(ledger: Ledger) -> None:
    """The catalog was imported again, in another language, between the plan and the claim."""
    ledger.take_in(mug(1), mug(2))
    run = order(ledger)
    ledger.take_in(mug(2, language="fr"))

    assert written(ledger, Answering(lambda request: [good(request)]), run)[0].ready == 1

    assert ledger.drafts(sku="mug1")[0].state is Status.READY
    assert ledger.drafts(sku="mug2")[-1].state in (Status.HELD, Status.FAILED)


def test_of_several_candidates_the_best_that_passes_is_taken_once_all_came(ledger: Ledger) -> None:
    ledger.take_in(mug())
    run = order(ledger, candidates=4)

    def answer(request: Request) -> list[Completion]:
        other = f"{copy(request)} It is a mug to keep."
        return [bad(request, 0), good(request, 1), bad(request, 2, other), failed(request, 3)]

    engine = Answering(answer)
    tally, _ = written(ledger, engine, run)

    (request,) = engine.asked
    assert request.candidates == 4
    (draft,) = ledger.drafts()
    assert (tally.ready, draft.text, draft.asks) == (1, good(request).text, 1)


def test_candidates_may_come_in_any_order(ledger: Ledger) -> None:
    ledger.take_in(mug(1), mug(2))
    engine = Answering(lambda request: [good(request, 2), bad(request, 0), bad(request, 1)])

    assert written(ledger, engine, order(ledger, candidates=3))[0].ready == 2
    assert len(engine.asked) == 2


def test_only_when_every_candidate_is_refused_is_there_another_ask(ledger: Ledger) -> None:
    ledger.take_in(mug())
    engine = Answering(lambda request: [bad(request, index) for index in range(request.candidates)])
    written(ledger, engine, order(ledger, candidates=3, max_asks=2))

    assert len(engine.asked) == 2
    assert ledger.drafts()[0].asks == 2
    assert ledger.run(1).completion_tokens == 6 * 20


def test_a_completion_of_an_unknown_request_is_ignored(ledger: Ledger) -> None:
    ledger.take_in(mug())
    engine = Answering(lambda request: [Completion("another", 0, "text", Finish.STOP), good(request)])

    assert written(ledger, engine, order(ledger))[0].ready == 1


def test_an_engine_that_closes_lets_go_of_the_chunk(ledger: Ledger, scripted: Callable[..., HostedEngine]) -> None:
    ledger.take_in(*map(mug, range(1, 4)))
    run = order(ledger)
    hung = threading.Event()

    def hang(request: Request) -> Behaviour:
        hung.set()
        return Behaviour.HANG

    engine = scripted(hang)
    closer = threading.Thread(target=lambda: (hung.wait(30), engine.close()))
    closer.start()
    written(ledger, engine, run, lease_seconds=3600)
    closer.join()

    assert ledger.states() == ["pending"] * 3, "the lease ended at once, not in an hour"
    assert written(ledger, scripted(), run)[0].ready == 3
    assert {draft.attempt for draft in ledger.drafts()} == {1}, "nobody is to blame"


def test_an_engine_that_is_closed_already_lets_go_of_the_chunk(
    ledger: Ledger, scripted: Callable[..., HostedEngine]
) -> None:
    ledger.take_in(mug())
    run = order(ledger)
    engine = scripted()
    engine.close()

    written(ledger, engine, run, lease_seconds=3600)
    assert ledger.states() == ["pending"]


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt(), SystemExit(1)])
def test_whatever_stops_the_writing_lets_go_of_the_chunk(ledger: Ledger, error: BaseException) -> None:
    ledger.take_in(mug())
    run = order(ledger)

    def stop(request: Request) -> list[Completion]:
        raise error

    with pytest.raises(type(error)):
        written(ledger, Answering(stop), run, lease_seconds=3600)
    assert ledger.states() == ["pending"]


def test_a_progress_that_raises_lets_go_of_the_chunk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "TELL_EVERY_SECONDS", 0.0)
    ledger.take_in(*map(mug, range(1, 3)))
    run = order(ledger)

    def stop(_: str) -> None:
        raise ConnectionError("no broker to tell")

    with pytest.raises(ConnectionError):
        write_chunk(
            ledger.database,
            Settings(lease_seconds=3600),
            Answering(lambda request: [good(request)]),
            run,
            0,
            stop,
        )
    assert "writing" not in ledger.states()


def test_a_ledger_that_went_away_does_not_hide_why_the_writing_stopped(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.take_in(mug())
    run = order(ledger)

    def gone(*_: object, **__: object) -> int:
        raise StoreUnavailable("the database does not answer")

    monkeypatch.setattr(drafts, "let_go", gone)

    def stop(request: Request) -> list[Completion]:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        written(ledger, Answering(stop), run)


def test_progress_is_told_while_the_chunk_is_written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "TELL_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(chunks, "SETTLE_AT_MOST_EVERY_SECONDS", 0.0)
    ledger.take_in(*map(mug, range(1, 4)))

    _, told = written(ledger, Answering(lambda request: [good(request)]), order(ledger))

    assert told == [f"{place}/3 ok, 0 held, 0 failed" for place in (1, 2, 3, 3)]


def test_what_is_ready_is_written_down_before_the_chunk_is_done(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "SETTLE_AT_MOST_EVERY_SECONDS", 0.01)
    ledger.take_in(mug(1), mug(2))
    run = order(ledger)
    seen: list[str] = []
    late: list[threading.Thread] = []

    class Slow(Answering):
        def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
            first, second = requests

            def answer_late() -> None:
                until = time.monotonic() + 10
                while "ready" not in seen and time.monotonic() < until:
                    seen[:] = ledger.states()
                    time.sleep(0.01)
                deliver(good(second))

            deliver(good(first))
            late.append(threading.Thread(target=answer_late))
            late[0].start()

    written(ledger, Slow(lambda request: []), run)
    late[0].join(30)

    assert seen == ["ready", "writing"]
    assert ledger.states() == ["ready", "ready"]


def test_a_lease_is_renewed_while_the_model_works(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "SETTLE_AT_MOST_EVERY_SECONDS", 0.01)
    ledger.take_in(mug())
    run = order(ledger)
    renewed = threading.Event()
    real = drafts.renew

    def renew(*args: object) -> int:
        renewed.set()
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(drafts, "renew", renew)
    late: list[threading.Thread] = []

    class Slow(Answering):
        def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
            def answer_late() -> None:
                renewed.wait(10)
                deliver(good(requests[0]))

            late.append(threading.Thread(target=answer_late))
            late[0].start()

    assert written(ledger, Slow(lambda request: []), run, lease_seconds=0.03)[0].ready == 1
    late[0].join(30)
    assert renewed.is_set()


def test_a_product_edited_while_it_is_written_is_written_again_in_the_same_chunk(ledger: Ledger) -> None:
    ledger.take_in(mug(1), mug(2))
    run = order(ledger)

    def answer(request: Request) -> list[Completion]:
        if len(engine.asked) <= 2:
            ledger.take_in(mug(2, Volume="350 ml"))
        return [good(request)]

    engine = Answering(answer)
    tally, _ = written(ledger, engine, run)

    assert (tally.ready, tally.stale) == (2, 1)
    assert [draft.state.value for draft in ledger.drafts(sku="mug2")] == ["stale", "ready"]
    assert "350 ml" in ledger.drafts(sku="mug2")[-1].text
    found = ledger.run(run)
    assert (found.state, found.outcomes, found.queued) == ("finished", {"ready": 2, "stale": 1}, 3)


def test_what_another_worker_took_over_is_not_written(ledger: Ledger) -> None:
    ledger.take_in(mug())
    run = order(ledger)

    def answer(request: Request) -> list[Completion]:
        ledger.return_expired()
        ledger.claim(run, token="another")
        return [good(request)]

    tally, _ = written(ledger, Answering(answer), run, lease_seconds=-1)

    assert (tally.ready, ledger.states()) == (0, ["writing"])
    assert ledger.run(run).state == "running"


def test_the_recipe_of_the_run_counts_whatever_the_settings_say_by_now(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.take_in(mug())
    run = order(
        ledger,
        sampling=Sampling(temperature=0.2, max_tokens=77),
        candidates=2,
        max_asks=1,
        rules=Rules(min_words=100, max_words=101),
        shops={"demo": Shop(voice="Dry and short.")},
    )
    monkeypatch.setenv("COPYDESK_CANDIDATES", "5")
    engine = Answering(lambda request: [good(request, index) for index in range(request.candidates)])
    written(ledger, engine, run)

    (request,) = engine.asked
    assert (request.sampling.temperature, request.sampling.max_tokens, request.candidates) == (0.2, 77, 2)
    assert "Dry and short." in request.messages[-1].content + request.messages[0].content
    assert ledger.states() == ["held"], "the run's own rules ask for more words"


def test_a_recipe_survives_the_ledger() -> None:
    settings = Settings(sampling=Sampling(temperature=0.1, seed=3), shops={"demo": Shop(voice="Dry.")}, candidates=3)
    recipe = Recipe.of(settings, "demo", Wanted())

    assert Recipe.from_json(recipe.as_json()) == recipe
    assert Recipe.of(settings, "demo", Wanted(candidates=5)).candidates == 5


CHANGES: dict[str, dict[str, object]] = {
    "model": {"model": "another"},
    "sampling": {"sampling": Sampling(temperature=0.3)},
    "candidates": {"candidates": 2},
    "asks": {"max_asks": 9},
    "rules": {"rules": Rules(max_words=99)},
    "voice": {"shops": {"demo": Shop(voice="Dry.")}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_each_part_of_the_recipe_makes_products_due_when_it_changes(ledger: Ledger, changes: dict[str, object]) -> None:
    ledger.take_in(mug())
    written(ledger, Answering(lambda request: [good(request)]), order(ledger, "first"))

    assert ledger.run(order(ledger, "same")).queued == 0
    assert ledger.run(order(ledger, "changed", **changes)).queued == 1


def test_a_changed_prompt_makes_the_products_of_its_language_due(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    zh = Product("zh", Facts("搪瓷杯", "山泉", "杯子", (), "zh"), "", TextFormat.HTML, Dialect.JSONL)
    ledger.take_in(mug(), zh)
    ledger.write(order(ledger, "first"))
    real = prompts.digest
    monkeypatch.setattr(
        prompts, "digest", lambda kind, language, folder: "edited" if language == "zh" else real(kind, language)
    )

    run = order(ledger, "second")

    assert [draft.sku for draft in ledger.drafts(run=run)] == ["zh"]


def test_changed_guards_make_everything_due(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.take_in(mug())
    ledger.write(order(ledger, "first"))
    monkeypatch.setattr(guards, "RULES_VERSION", 999)
    monkeypatch.setattr("copydesk.guards.judging.RULES_VERSION", 999)

    assert ledger.run(order(ledger, "second")).queued == 1


def test_a_changed_word_list_of_the_guards_makes_everything_due(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a changed prompt does, whether or not anybody raised a version."""
    ledger.take_in(mug())
    ledger.write(order(ledger, "first"))
    monkeypatch.setattr("copydesk.guards.wordlists.DIGEST", "edited")

    assert ledger.run(order(ledger, "second")).queued == 1


def test_planning_for_an_unknown_shop_or_product_writes_nothing(ledger: Ledger) -> None:
    ledger.take_in(mug())
    with pytest.raises(NotFound, match="'nowhere'"):
        plan(ledger.database, Settings(), "nowhere", "night")
    with pytest.raises(NotFound, match="'nobody'"):
        plan(ledger.database, Settings(), "demo", "night", Wanted(skus=["mug1", "nobody"]))
    assert plan(ledger.database, Settings(), "demo", "night", Wanted(skus=["mug1"])).created


def test_a_chunk_of_an_unknown_run_is_refused(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no run 77"):
        written(ledger, Answering(lambda request: []), 77)


WARM = {"temperature": judging.ASK_AGAIN_TEMPERATURE, "top_p": judging.ASK_AGAIN_TOP_P}


@pytest.mark.parametrize(
    ("base", "asks_before", "expected"),
    [
        (Sampling(), 0, {}),
        (Sampling(temperature=0.0, seed=1), 0, {}),
        (Sampling(), 1, WARM),
        (Sampling(), 5, WARM),
        (Sampling(temperature=0.0), 1, WARM),
        (Sampling(temperature=0.2), 1, {**WARM, "temperature": 0.2}),
        (Sampling(top_p=0.5), 2, {**WARM, "top_p": 0.5}),
        (Sampling(temperature=2.0, top_p=1.0), 3, {}),
        (Sampling(seed=0), 1, {**WARM, "seed": 1}),
        (Sampling(seed=7), 4, {**WARM, "seed": 11}),
        (Sampling(max_tokens=9, top_k=4, repetition_penalty=1.2), 1, WARM),
    ],
)
def test_the_first_ask_is_the_settings_own_and_later_ones_are_warm_with_another_seed(
    base: Sampling, asks_before: int, expected: dict[str, object]
) -> None:
    assert sampling_for(base, asks_before) == base.model_copy(update=expected)


@pytest.mark.parametrize("temperature", [None, 0.0, 0.5, 1.0, 1.5, 2.0])
def test_no_later_ask_is_cooler_than_the_one_before(temperature: float | None) -> None:
    temperatures = [sampling_for(Sampling(temperature=temperature), asks).temperature or 0.0 for asks in range(6)]
    assert temperatures == sorted(temperatures)


def test_a_run_planned_for_another_model_is_refused_by_name(ledger: Ledger) -> None:
    ledger.take_in(databases.product())
    planned = copywriting.plan(ledger.database, Settings(model="a/one"), ledger.shop, "key")
    engine = Answering(lambda request: [good(request)])
    with pytest.raises(ConfigurationError, match=r"planned for a/one .* a worker has smollm2"):
        written(ledger, engine, planned.run)
    assert ledger.states() == ["pending"]
