"""What every engine promises, asked of each of them; then what only those with a model of ours can be asked."""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from engines import Died

from copydesk.engine.base import Completion, Engine, Finish, Message, Request
from copydesk.engine.hosted import HostedEngine
from copydesk.errors import ModelError
from copydesk.model import Lane
from copydesk.settings import Sampling

Open = Callable[..., Engine]
WAIT_SECONDS = 60


@dataclass
class Inbox:
    """A deliver callback that keeps what it is given."""

    completions: list[Completion] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, completion: Completion) -> None:
        with self._arrived:
            self.completions.append(completion)
            self.threads.add(threading.get_ident())
            self._arrived.notify_all()

    def wait(self, count: int) -> list[Completion]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.completions) >= count, WAIT_SECONDS), "too few completions"
            return list(self.completions)


def ask(
    id: str = "1",
    content: str = "A kettle.",
    *,
    candidates: int = 1,
    plain: str | None = None,
    lane: Lane = Lane.CATALOG,
    alone: bool = False,
    **sampling: Any,
) -> Request:
    """A request; `sampling` overrides the sampling."""
    turns = (Message("system", "Be brief."), Message("user", content))
    chosen = Sampling(**{"max_tokens": 8, **sampling})
    return Request(id, turns, content if plain is None else plain, chosen, candidates, lane, alone)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def test_every_request_is_delivered_as_often_as_it_has_candidates(engine: Engine, inbox: Inbox) -> None:
    wanted = {"one": 1, "three": 3, "more than a batch": 9}
    engine.submit([ask(id, candidates=count) for id, count in wanted.items()], inbox)
    inbox.wait(13)
    engine.close()
    assert Counter(completion.request_id for completion in inbox.completions) == wanted
    indexes = {completion.index for completion in inbox.completions if completion.request_id == "more than a batch"}
    assert indexes == set(range(9))


def test_completions_come_from_one_thread_that_is_not_the_callers(engine: Engine, inbox: Inbox) -> None:
    engine.submit([ask(str(number)) for number in range(6)], inbox)
    inbox.wait(6)
    assert len(inbox.threads) == 1
    assert threading.get_ident() not in inbox.threads


def test_several_threads_may_submit_at_once(engine: Engine) -> None:
    inboxes = [Inbox() for _ in range(5)]

    def submit(place: int) -> None:
        for number in range(3):
            engine.submit([ask(f"{place}-{number}", f"product {place}")], inboxes[place])

    threads = [threading.Thread(target=submit, args=(place,)) for place in range(5)]
    for thread in threads:
        thread.start()
    for place, inbox in enumerate(inboxes):
        assert {completion.request_id for completion in inbox.wait(3)} == {f"{place}-{number}" for number in range(3)}
    for thread in threads:
        thread.join()


def test_a_request_gets_the_same_text_whatever_its_place(engine: Engine) -> None:
    prompts = [
        "A kettle.",
        "Ein Kessel aus Stahl, poliert.",
        "A " + "very " * 20 + "long prompt.",
        "?",
        "不锈钢水壶 🫖",
    ]
    requests = [ask(prompt, f"- Title: {prompt}", temperature=0) for prompt in prompts]

    def texts(batches: list[list[int]]) -> dict[str, str]:
        inbox = Inbox()
        for done, batch in enumerate(batches):
            engine.submit([requests[place] for place in batch], inbox)
            inbox.wait(sum(len(batch) for batch in batches[: done + 1]))
        return {completion.request_id: completion.text for completion in inbox.completions}

    alone = texts([[0], [1], [2], [3], [4]])
    assert texts([[0, 1, 2, 3, 4]]) == alone
    assert texts([[4, 2], [0, 3, 1]]) == alone
    assert len(set(alone.values())) == len(prompts)


def test_any_text_may_be_asked(engine: Engine, inbox: Inbox) -> None:
    prompts = [
        "不锈钢水壶，容量1.2升。",
        "🫖👨‍👩‍👧 emoji",
        "עברית",
        "\x00\ufffd",
        "<|im_end|><|im_start|>system",
        "{{ x }} {% y %}",
    ]
    engine.submit([ask(prompt, prompt) for prompt in prompts], inbox)
    completions = inbox.wait(len(prompts))
    assert {completion.finish for completion in completions} <= {Finish.STOP, Finish.LENGTH}
    assert {completion.request_id for completion in completions} == set(prompts)


def test_token_counts_are_given(engine: Engine, inbox: Inbox) -> None:
    engine.submit([ask("short", "A kettle."), ask("long", "A kettle. " * 5)], inbox)
    counts = {completion.request_id: completion for completion in inbox.wait(2)}
    assert 0 < counts["short"].prompt_tokens < counts["long"].prompt_tokens
    assert counts["short"].completion_tokens > 0


def test_a_callback_that_raises_costs_nobody_else_their_answer(engine: Engine, inbox: Inbox) -> None:
    called = threading.Event()

    def broken(completion: Completion) -> None:
        called.set()
        raise LookupError("the caller's mistake")

    engine.submit([ask("broken", candidates=2)], broken)
    engine.submit([ask("sound")], inbox)
    inbox.wait(1)
    assert called.is_set()
    engine.submit([ask("after")], inbox)
    inbox.wait(2)


def test_closing_delivers_what_waits_and_may_be_done_twice(engine: Engine, inbox: Inbox) -> None:
    first = threading.Event()
    go_on = threading.Event()

    def hold(completion: Completion) -> None:
        first.set()
        go_on.wait(30)

    engine.submit([ask("first", temperature=0.5)], hold)
    assert first.wait(30)
    engine.submit([ask("waits"), ask("waits too", candidates=2)], inbox)
    closing = threading.Thread(target=engine.close)
    closing.start()
    while True:  # until the engine knows that it is closed
        try:
            engine.submit([], inbox)
        except RuntimeError:
            break
    go_on.set()
    closing.join(30)
    assert not closing.is_alive()
    assert [completion.finish for completion in inbox.completions] == [Finish.CLOSED] * 3
    engine.close()
    assert len(inbox.completions) == 3


def test_a_callback_may_close_the_engine(engine: Engine) -> None:
    closed = threading.Event()

    def close(completion: Completion) -> None:
        engine.close()
        closed.set()

    engine.submit([ask()], close)
    assert closed.wait(30)


def test_a_closed_engine_takes_nothing(engine: Engine, inbox: Inbox) -> None:
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit([ask()], inbox)
    assert inbox.completions == []


def answered(engine: Engine, *requests: Request) -> dict[tuple[str, int], Completion]:
    inbox = Inbox()
    engine.submit(requests, inbox)
    completions = inbox.wait(sum(request.candidates for request in requests))
    return {(completion.request_id, completion.index): completion for completion in completions}


def test_a_prompt_that_is_too_long_is_refused_by_name_and_its_neighbours_are_not(engine: Engine, kind: str) -> None:
    got = answered(engine, ask("before"), ask("long", "word " * 9000), ask("after"))
    assert got["long", 0].finish is Finish.FAILED
    assert "token" in got["long", 0].error
    assert {got["before", 0].finish, got["after", 0].finish} <= {Finish.STOP, Finish.LENGTH}


def test_a_seed_repeats_a_request_whatever_decodes_beside_it(engine: Engine) -> None:
    seeded = ask("seeded", "A kettle.", candidates=2, seed=7, temperature=0.9)
    alone = answered(engine, seeded)
    others = [ask(f"other {number}", f"Product {number}.", temperature=0.9) for number in range(5)]
    among = answered(engine, *others[:2], seeded, *others[2:])
    for index in range(2):
        assert among["seeded", index].text == alone["seeded", index].text


def test_candidates_differ_and_so_do_seeds(engine: Engine, kind: str) -> None:
    if kind == "scripted":
        pytest.skip("it draws nothing")
    got = answered(
        engine,
        ask("a", candidates=4, seed=7, temperature=1.0),
        ask("b", candidates=4, seed=8, temperature=1.0),
    )
    texts = [completion.text for completion in got.values()]
    assert len(set(texts)) == 8


def test_each_request_has_its_own_limit(engine: Engine, kind: str) -> None:
    if kind == "scripted":
        pytest.skip("its texts have a length of their own")
    got = answered(engine, *(ask(str(limit), max_tokens=limit, temperature=0) for limit in (1, 3, 12)))
    for (limit, _), completion in got.items():
        assert completion.completion_tokens <= int(limit)
        if completion.finish is Finish.LENGTH:
            assert completion.completion_tokens == int(limit)


def test_what_is_cancelled_is_delivered_as_such_and_nobody_else_is(engine: Engine) -> None:
    inbox = Inbox()
    wanted = [ask(f"wanted {number}", f"Product {number}.") for number in range(6)]
    unwanted = [ask("unwanted", candidates=3), ask("unwanted too", max_tokens=64)]
    engine.submit([*wanted[:3], *unwanted, *wanted[3:]], inbox)
    engine.cancel(["unwanted", "unwanted too", "never submitted"])
    for completion in inbox.wait(10):
        if completion.request_id.startswith("wanted"):
            assert completion.finish in (Finish.STOP, Finish.LENGTH)
        else:  # it may have ended before it was heard
            assert completion.finish in (Finish.STOP, Finish.LENGTH, Finish.CANCELLED)
    assert answered(engine, ask("after"))["after", 0].finish in (Finish.STOP, Finish.LENGTH)


def test_draining_ends_what_was_admitted_and_takes_nothing_more(engine: Engine, inbox: Inbox) -> None:
    engine.submit([ask(str(number)) for number in range(12)], inbox)
    engine.drain(WAIT_SECONDS)
    assert Counter(completion.request_id for completion in inbox.completions) == {
        str(number): 1 for number in range(12)
    }
    assert {completion.finish for completion in inbox.completions} <= {Finish.STOP, Finish.LENGTH, Finish.CLOSED}
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit([ask()], inbox)


def backend_of(engine: HostedEngine) -> Any:
    return engine._host.backend  # type: ignore[union-attr]


def test_what_has_not_ended_in_time_is_closed(
    engine: HostedEngine, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def end_nothing(tick: Any) -> list[Any]:
        began.set()
        return []

    monkeypatch.setattr(backend_of(engine), "step", end_nothing)
    engine.submit([ask(str(number), candidates=2) for number in range(6)], inbox)
    assert began.wait(WAIT_SECONDS)
    engine.drain(0.2)
    assert [completion.finish for completion in inbox.completions] == [Finish.CLOSED] * 12


def test_a_death_crashes_what_was_begun_and_closes_what_waited(
    engine: HostedEngine, inbox: Inbox, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(tick: Any) -> None:
        patched.undo()
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(backend_of(engine), "step", die)
        engine.submit([ask(str(number)) for number in range(6)], inbox)
        inbox.wait(6)
    ended = {completion.request_id: completion.finish for completion in inbox.completions}
    assert Counter(ended.values()) == {Finish.CRASHED: 4, Finish.CLOSED: 2}  # four decode together
    if kind != "openai":  # which these tests cannot open again
        assert answered(engine, ask())["1", 0].finish in (Finish.STOP, Finish.LENGTH)
        assert engine.stats().restarts == 1


def test_a_request_that_is_alone_decodes_by_itself_with_all_its_candidates(engine: Engine, kind: str) -> None:
    asked = [ask(str(number), f"Product {number}.") for number in range(6)]
    got = answered(engine, *asked[:3], ask("alone", candidates=3, alone=True), *asked[3:])
    spans = {key: (completion.queue_seconds, completion.seconds) for key, completion in got.items()}
    alone = [span for (id, _), span in spans.items() if id == "alone"]
    others = [span for (id, _), span in spans.items() if id != "alone"]
    assert {completion.finish for completion in got.values()} <= {Finish.STOP, Finish.LENGTH}
    if kind != "openai":  # whose requests share no fate
        first, last = min(begin for begin, _ in alone), max(end for _, end in alone)
        assert all(end <= first or begin >= last for begin, end in others)
        assert max(begin for begin, _ in alone) < min(end for _, end in alone)


def test_times_and_sums_are_kept(engine: Engine) -> None:
    got = answered(engine, *(ask(str(number), candidates=2) for number in range(5)))
    for completion in got.values():
        assert 0 <= completion.queue_seconds <= completion.first_token_seconds <= completion.seconds < WAIT_SECONDS
    stats = engine.stats()
    assert (stats.completed, stats.waiting, stats.running) == (10, 0, 0)
    assert stats.completion_tokens == sum(completion.completion_tokens for completion in got.values())
    assert stats.width == 4
    assert stats.busy_seconds > 0
    assert 1 <= stats.sequence_seconds / stats.busy_seconds <= 4


def test_a_reply_is_admitted_before_bulk_that_waited_longer(engine: Engine) -> None:
    inbox = Inbox()
    engine.submit([ask(str(number), f"Product {number}.") for number in range(24)], inbox)
    engine.submit([ask("reply", lane=Lane.REPLIES)], inbox)
    order = [completion.request_id for completion in inbox.wait(25)]
    assert order.index("reply") < 16


def test_ids_of_two_callers_may_be_the_same(engine: Engine) -> None:
    mine, yours = Inbox(), Inbox()
    engine.submit([ask("1", "Mine.", temperature=0)], mine)
    engine.submit([ask("1", "Yours, which is another one.", temperature=0)], yours)
    assert mine.wait(1)[0].prompt_tokens < yours.wait(1)[0].prompt_tokens


def test_the_same_model_says_the_same_in_every_engine_of_ours(
    open_transformers: Open, open_paged: Open, open_openvino: Open, chat_checkpoint: Path, chat_gguf: Path
) -> None:
    asked = [ask(text, text, temperature=0, max_tokens=12) for text in ("A kettle.", "不锈钢水壶 🫖", "?")]
    said = [
        # Bytes that are no text are left out by one, and replaced by another.
        {key: completion.text.replace("\ufffd", "") for key, completion in answered(open_one(model), *asked).items()}
        for open_one, model in (
            (open_transformers, chat_checkpoint),
            (open_paged, chat_checkpoint),
            (open_openvino, chat_gguf),
        )
    ]
    assert said[0] == said[1] == said[2]
    assert len(set(said[0].values())) == 3


def test_a_prompt_beyond_the_context_is_refused_by_name_and_its_neighbours_are_not(
    open_transformers: Open, chat_checkpoint: Path, inbox: Inbox
) -> None:
    context = json.loads((chat_checkpoint / "config.json").read_text())["max_position_embeddings"]
    engine = open_transformers(chat_checkpoint)
    engine.submit([ask("before"), ask("long", "x" * context), ask("greedy", max_tokens=context), ask("after")], inbox)
    completions = {completion.request_id: completion for completion in inbox.wait(4)}
    assert completions["long"].finish is Finish.FAILED
    assert str(context) in completions["long"].error
    assert completions["greedy"].finish is Finish.FAILED
    assert completions["before"].finish is completions["after"].finish is Finish.LENGTH


def test_a_base_model_continues_the_plain_prompt(
    open_transformers: Open, counting_checkpoint: Path, inbox: Inbox
) -> None:
    open_transformers(counting_checkpoint).submit([ask(content="xyz", plain="abc", max_tokens=3)], inbox)
    (completion,) = inbox.wait(1)
    assert completion.text == "def"
    assert completion.prompt_tokens == 3


def test_a_chat_model_gets_its_template(open_transformers: Open, chat_checkpoint: Path, inbox: Inbox) -> None:
    open_transformers(chat_checkpoint).submit([ask(content="abc", plain="abc")], inbox)
    (completion,) = inbox.wait(1)
    # A token for each byte and each special token: system turn, user turn, and the opening of the answer.
    turns = len("system\nBe brief.") + len("user\nabc") + 2 * len("SE\n") + len("Sassistant\n")
    assert completion.prompt_tokens == turns


@pytest.mark.parametrize("kind", ["transformers", "paged", "openvino"])
def test_a_text_stops_at_the_ending_token_or_is_cut_at_the_limit(
    kind: str, request: pytest.FixtureRequest, counting_checkpoint: Path, counting_gguf: Path, inbox: Inbox
) -> None:
    # This model counts up from the prompt's last letter, and the ending token comes after z.
    engine = request.getfixturevalue(f"open_{kind}")(counting_gguf if kind == "openvino" else counting_checkpoint)
    engine.submit(
        [
            ask("cut", plain="a", max_tokens=5),
            ask("cut, longer prompt", plain="Once upon a time: a", max_tokens=5),
            ask("stopped", plain="Once upon a time: x", max_tokens=5),
            ask("stopped at the limit", plain="v", max_tokens=5),
            ask("nothing to say", plain="z", max_tokens=5),
        ],
        inbox,
    )
    said = {one.request_id: (one.text, one.finish, one.completion_tokens) for one in inbox.wait(5)}
    assert said == {
        "cut": ("bcdef", Finish.LENGTH, 5),
        "cut, longer prompt": ("bcdef", Finish.LENGTH, 5),
        "stopped": ("yz", Finish.STOP, 3),
        "stopped at the limit": ("wxyz", Finish.STOP, 5),
        "nothing to say": ("", Finish.STOP, 1),
    }


def test_candidates_differ_and_a_seed_repeats_them(open_transformers: Open, chat_checkpoint: Path) -> None:
    engine = open_transformers(chat_checkpoint, width=2)

    def texts(**sampling: Any) -> list[str]:
        inbox = Inbox()
        engine.submit([ask(candidates=4, **sampling)], inbox)
        completions = sorted(inbox.wait(4), key=lambda completion: completion.index)
        return [completion.text for completion in completions]

    seeded = texts(seed=7)
    assert len(set(seeded)) == 4  # two batches, and neither repeats the other
    assert texts(seed=7) == seeded
    assert texts(seed=8) != seeded
    assert texts() != texts()


def test_a_template_without_a_system_role_gets_the_system_message_from_the_user(
    open_transformers: Open, chat_checkpoint: Path, tmp_path: Path, inbox: Inbox
) -> None:
    checkpoint = shutil.copytree(chat_checkpoint, tmp_path / "strict")
    template = checkpoint / "chat_template.jinja"
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    template.write_text(refusal + template.read_text())
    open_transformers(checkpoint).submit([ask(content="abc")], inbox)
    (completion,) = inbox.wait(1)
    assert completion.finish is Finish.LENGTH
    assert completion.prompt_tokens == len("Suser\nBe brief.\n\nabcE\n") + len("Sassistant\n")


def test_a_prompt_that_the_template_refuses_fails_alone(
    open_transformers: Open, chat_checkpoint: Path, tmp_path: Path, inbox: Inbox
) -> None:
    checkpoint = shutil.copytree(chat_checkpoint, tmp_path / "strict")
    template = checkpoint / "chat_template.jinja"
    refusal = "{% if 'abc' in messages[1]['content'] %}{{ raise_exception('not abc') }}{% endif %}"
    template.write_text(refusal + template.read_text())
    open_transformers(checkpoint).submit([ask("refused", "abc"), ask("taken", "def")], inbox)
    completions = {completion.request_id: completion for completion in inbox.wait(2)}
    assert "not abc" in completions["refused"].error
    assert completions["taken"].finish is Finish.LENGTH


@pytest.mark.parametrize(
    ("removed", "missing"),
    [
        ("config.json", "lacks config.json"),
        ("model.safetensors", "lacks weights"),
        ("tokenizer.json", "lacks a tokenizer"),
    ],
)
def test_an_incomplete_checkpoint_is_refused_by_what_it_lacks(
    open_transformers: Open, chat_checkpoint: Path, tmp_path: Path, removed: str, missing: str
) -> None:
    checkpoint = shutil.copytree(chat_checkpoint, tmp_path / "incomplete")
    (checkpoint / removed).unlink()
    with pytest.raises(ModelError, match=missing + ".*: copy every file"):
        open_transformers(checkpoint)


def test_weights_that_lack_a_tensor_are_refused_instead_of_filled_with_random_numbers(
    open_transformers: Open, chat_checkpoint: Path, tmp_path: Path
) -> None:
    checkpoint = shutil.copytree(chat_checkpoint, tmp_path / "incomplete")
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(ModelError, match=r"weights lack 9 tensors, model\.layers\.4\."):
        open_transformers(checkpoint)


def test_damaged_weights_are_refused(open_transformers: Open, chat_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copytree(chat_checkpoint, tmp_path / "damaged")
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:10_000])
    with pytest.raises(ModelError, match=r"cannot be loaded .* download it again"):
        open_transformers(checkpoint)


def test_a_quoted_special_token_ends_no_turn(open_transformers: Open, counting_checkpoint: Path, inbox: Inbox) -> None:
    open_transformers(counting_checkpoint).submit([ask(plain="<|im_end|>")], inbox)
    (completion,) = inbox.wait(1)
    assert completion.prompt_tokens == len("< |im_end|>")


def test_a_gguf_file_is_converted_once_and_answers_as_the_model_it_was_made_from(
    open_transformers: Open, chat_checkpoint: Path, chat_gguf: Path
) -> None:
    def text(source: Path) -> str:
        inbox = Inbox()
        open_transformers(source).submit([ask(temperature=0)], inbox)
        return inbox.wait(1)[0].text

    expected = text(chat_checkpoint)
    assert text(chat_gguf) == expected
    (converted,) = (chat_gguf.parent / "converted").iterdir()
    weights = converted / "model.safetensors"
    made_at = weights.stat().st_mtime_ns
    assert weights.stat().st_mode == (converted / "config.json").stat().st_mode
    assert text(chat_gguf) == expected
    assert weights.stat().st_mtime_ns == made_at


def test_a_gguf_file_that_lacks_a_tensor_is_refused_and_leaves_nothing(
    open_transformers: Open, holed_gguf: Path
) -> None:
    with pytest.raises(ModelError, match=r"lack 1 tensors, model\.layers\.2\.mlp\.up_proj\.weight"):
        open_transformers(holed_gguf)
    assert list((holed_gguf.parent / "converted").iterdir()) == []


def test_a_refused_prompt_alone_does_not_end_the_engine(
    open_transformers: Open, chat_checkpoint: Path, inbox: Inbox
) -> None:
    engine = open_transformers(chat_checkpoint)
    engine.submit([ask("long", "word " * 5000)], inbox)
    assert inbox.wait(1)[0].finish is Finish.FAILED
    engine.submit([ask("short", "word")], inbox)
    assert inbox.wait(2)[1].request_id == "short"


def test_a_beginning_read_once_gives_the_same_text_as_reading_it_again(
    open_transformers: Open, chat_checkpoint: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (Message("user", "one two three " * 12), Message("assistant", "four five six " * 12))
    other = (Message("user", "seven eight nine " * 9), Message("assistant", "ten " * 30))
    turns = [
        (*(example if number % 2 else other), Message("user", f"product {number} " * number)) for number in range(1, 7)
    ]
    asked = [
        Request(str(number), messages, "", Sampling(max_tokens=12, temperature=0))
        for number, messages in enumerate(turns)
    ]
    open_transformers(chat_checkpoint).submit(asked, inbox)
    together = {completion.request_id: completion.text for completion in inbox.wait(6)}
    monkeypatch.setattr("copydesk.engine.transformers.WORTH_KEEPING_TOKENS", 10_000)
    open_transformers(chat_checkpoint).submit(asked, inbox)
    assert {completion.request_id: completion.text for completion in inbox.wait(12)[6:]} == together
