"""The transformers backend with continuous batches; on the CPU, where it is slow but the same."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from engines import in_thread

from copydesk.engine.backend import Broken, OutOfMemory, PromptRefused, Row, Text
from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.model import Lane
from copydesk.settings import Sampling

torch: Any = pytest.importorskip("torch", reason="needs the worker extra")
loading: Any = pytest.importorskip("copydesk.engine.loading", reason="needs the worker extra")
transformers: Any = pytest.importorskip("copydesk.engine.transformers", reason="needs the worker extra")
module: Any = pytest.importorskip("copydesk.engine.paged", reason="needs the worker extra")

EXAMPLE = (Message("user", "one two three " * 3), Message("assistant", "four five six " * 3))
CONTENTS = ["a", "a longer one", "the longest of them all", "?", "ein Kessel", "不锈钢水壶"]


@pytest.fixture(scope="module")
def loaded(chat_checkpoint: Path) -> Any:
    """The small chat model in fp32: in bf16 its texts would depend on who decodes beside them."""
    torch.set_num_threads(1)  # so small a model gains nothing from threads
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "dtype_for", lambda device: torch.float32)
        return loading.load(chat_checkpoint, "cpu")


@pytest.fixture(scope="module")
def static(loaded: Any) -> Any:
    return transformers.TransformersBackend(loaded, name="chat", device="cpu", width=8, own_sampling=None)


@pytest.fixture(scope="module")
def paged(loaded: Any) -> Iterator[Any]:
    """One for all tests: each takes half a second to close."""
    made = module.PagedTransformersBackend(loaded, name="chat", device="cpu", width=8, own_sampling=None)
    yield made
    made.close()


def ask(content: str, candidates: int = 1, **sampling: Any) -> Request:
    asked = Sampling(**{"max_tokens": 16, "temperature": 0, **sampling})
    return Request(content, (*EXAMPLE, Message("user", content)), "", asked, candidates)


def add(backend: Any, *requests: Request) -> list[Row]:
    rows = [
        Row(request, index, backend.read(request), 0.0) for request in requests for index in range(request.candidates)
    ]
    for row in rows:
        backend.add(row)
    return rows


def finished(backend: Any, rows: Sequence[Row]) -> dict[Row, Text]:
    """Step until these have ended."""
    ended: dict[Row, Text] = {}
    while not ended.keys() >= set(rows):
        ended.update(backend.step(lambda: None))
    return ended


def texts(backend: Any, *requests: Request) -> dict[tuple[str, int], str]:
    ended = finished(backend, add(backend, *requests))
    return {(row.request.id, row.index): text.text for row, text in ended.items()}


def test_greedy_texts_are_those_of_static_batches_in_whatever_company(paged: Any, static: Any) -> None:
    requests = [ask(content) for content in CONTENTS]
    expected = texts(static, *requests)
    assert texts(paged, *requests) == expected
    for request in reversed(requests[:3]):
        assert texts(paged, request).items() <= expected.items()


@pytest.mark.parametrize(
    "sampling",
    [{}, {"top_k": 0, "top_p": 0.8}, {"repetition_penalty": 1.5}, {"temperature": 0, "repetition_penalty": 1.5}],
)
def test_a_seed_repeats_a_request_here_and_in_static_batches(paged: Any, static: Any, sampling: dict[str, Any]) -> None:
    requests = [ask(content, **{"temperature": 1.0, "seed": 3, **sampling}) for content in CONTENTS]
    expected = texts(static, *requests)
    assert texts(paged, *requests) == expected
    assert texts(paged, *reversed(requests[:2])).items() <= expected.items()


def test_rows_that_are_sampled_in_different_ways_decode_together(paged: Any, static: Any) -> None:
    requests = [
        ask("a"),
        ask("a longer one", temperature=1.2, seed=1),
        ask("the longest of them all", repetition_penalty=1.4),
        ask("?", temperature=0.7, top_k=2, seed=2, max_tokens=5),
    ]
    assert texts(paged, *requests) == {key: text for one in requests for key, text in texts(static, one).items()}


def test_candidates_differ_with_a_seed_and_without(paged: Any) -> None:
    for seed in (5, None):
        assert len(set(texts(paged, ask("a", candidates=4, seed=seed)).values())) == 4


def test_a_text_stops_at_the_ending_token_or_is_cut_at_the_limit(
    loaded: Any, paged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cut,) = finished(paged, add(paged, ask("a", max_tokens=5))).values()
    assert (cut.finish, cut.tokens) == (Finish.LENGTH, 5)
    last = loaded.tokenizer(cut.text)["input_ids"][-1]
    monkeypatch.setattr(paged, "_lm", replace(paged._lm, eos_ids=(last,)))
    (stopped,) = finished(paged, add(paged, ask("a", max_tokens=50))).values()
    assert stopped.finish is Finish.STOP
    assert stopped.tokens <= 5
    assert cut.text.startswith(stopped.text)


@pytest.fixture
def passes(paged: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """How often the model may run; a test releases them."""
    allowed = threading.Semaphore(0)
    forward = paged._lm.model.forward

    def wait(*args: Any, **options: Any) -> Any:
        assert allowed.acquire(timeout=30)
        return forward(*args, **options)

    monkeypatch.setattr(paged._lm.model, "forward", wait)
    yield allowed
    allowed.release(1000)


def test_rows_join_while_others_decode(paged: Any, passes: threading.Semaphore) -> None:
    (long,) = add(paged, ask("a", max_tokens=100, seed=1, temperature=1.0))
    passes.release(3)
    paged.step(lambda: None)
    short = add(paged, ask("?", max_tokens=2), ask("a longer one", max_tokens=2))
    passes.release(1000)
    assert list(finished(paged, [long])) == [*short, long]


def test_the_first_token_is_stamped_when_it_came_and_not_when_the_text_ended(paged: Any) -> None:
    (early,) = add(paged, ask("a", max_tokens=100, seed=1, temperature=1.0))
    paged.step(lambda: None)
    (late,) = add(paged, ask("?", max_tokens=2))
    finished(paged, [early])
    assert 0 < early.first_token_at < late.first_token_at


def test_a_removed_row_never_ends_and_leaves_its_room(paged: Any, passes: threading.Semaphore) -> None:
    gone, stays = add(paged, ask("a", max_tokens=100, seed=1, temperature=1.0), ask("a longer one", max_tokens=100))
    passes.release(3)
    paged.step(lambda: None)
    paged.remove(gone)
    passes.release(1000)
    assert gone not in finished(paged, [stays])
    finished(paged, add(paged, ask("?", max_tokens=2)))
    assert paged._manager.batch_processor.scheduler.active_requests == {}


def test_more_rows_than_decode_together_all_end(paged: Any) -> None:
    rows = add(paged, *(ask(f"product {number}", max_tokens=4) for number in range(60)))
    assert len(finished(paged, rows)) == 60


def test_the_capacity_is_what_its_pages_hold_when_each_row_leaves_its_last_one_almost_empty(paged: Any) -> None:
    pages = paged._manager.batch_processor.cache.num_blocks
    rows = paged.width + module.REPLIES_WIDTH
    worst_row = module.PAGE_TOKENS + 1  # takes up two pages
    assert rows * 2 <= pages
    assert paged.capacity_tokens <= (pages - rows) * module.PAGE_TOKENS
    assert paged.capacity_tokens > rows * worst_row


def test_a_step_waits_while_the_model_gets_nowhere_so_that_a_hang_is_seen(
    paged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, go_on = threading.Event(), threading.Event()
    forward = paged._lm.model.forward

    def hold(*args: Any, **options: Any) -> Any:
        running.set()
        go_on.wait(30)
        return forward(*args, **options)

    monkeypatch.setattr(paged._lm.model, "forward", hold)
    (row,) = add(paged, ask("a", max_tokens=1))
    ended: list[tuple[Row, Text]] = []
    stepping = threading.Thread(target=lambda: ended.extend(paged.step(lambda: None)))
    stepping.start()
    assert running.wait(30)
    stepping.join(4 * module.LISTEN_SECONDS)
    assert stepping.is_alive()
    go_on.set()
    stepping.join(30)
    assert not stepping.is_alive()
    assert row in [*dict(ended), *([] if ended else finished(paged, [row]))]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), OutOfMemory),
        (RuntimeError("CUDA error: device-side assert triggered"), Broken),
        (ValueError("a nan"), ValueError),
    ],
)
def test_what_the_model_raises_fails_every_row_and_another_manager_goes_on(
    paged: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception]
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise error

    rows = add(paged, ask("a"), ask("?"))
    with monkeypatch.context() as patch:
        patch.setattr(paged._lm.model, "forward", fail)
        with pytest.raises(raised, match=str(error)):
            finished(paged, rows)
    for row in rows:
        paged.remove(row)
    again = add(paged, ask("a"), ask("?"))
    assert len(finished(paged, again)) == 2


def test_a_broken_device_that_cannot_be_tidied_up_is_still_called_broken(
    loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise torch.AcceleratorError("an illegal memory access was encountered")

    backend = module.PagedTransformersBackend(loaded, name="chat", device="cpu", width=2, own_sampling=None)
    manager = backend._manager
    monkeypatch.setattr(manager, "destroy", fail)
    rows = add(backend, ask("a"))
    with monkeypatch.context() as patch:
        patch.setattr(loaded.model, "forward", fail)
        with pytest.raises(Broken, match="illegal memory"):
            finished(backend, rows)
    assert not manager.is_running()


def test_rows_that_are_not_removed_after_a_failure_are_run_again(paged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise ValueError("once")

    rows = add(paged, ask("a"), ask("?"))
    with monkeypatch.context() as patch:
        patch.setattr(paged._lm.model, "forward", fail)
        with pytest.raises(ValueError, match="once"):
            finished(paged, rows)
    assert len(finished(paged, rows)) == 2


def test_a_model_that_cannot_be_paged_is_named_and_runs_in_static_batches(
    loaded: Any, static: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> None:
        loaded.model.set_attn_implementation("eager")
        raise ValueError("no attention to page")

    before = loaded.model.config._attn_implementation
    monkeypatch.setattr(loaded.model, "init_continuous_batching", refuse)
    with pytest.raises(module.CannotPage, match=r"chat cannot be .*no attention to page.*COPYDESK_MODEL"):
        module.PagedTransformersBackend(loaded, name="chat", device="cpu", width=8, own_sampling=None)
    assert loaded.model.config._attn_implementation == before
    assert texts(static, ask("a"))


def test_where_memory_is_short_the_cache_takes_what_there_is(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[int | None] = []
    managed = module.PagedTransformersBackend._manager_with

    def short(self: Any, pages: int | None) -> Any:
        asked_for.append(pages)
        if pages is None:
            return managed(self, 12)
        raise MemoryError("more than available")

    monkeypatch.setattr(module.PagedTransformersBackend, "_manager_with", short)
    small = module.PagedTransformersBackend(loaded, name="chat", device="cpu", width=8, own_sampling=None)
    assert asked_for == [40 * 8, None]
    assert small.capacity_tokens == 6 * module.PAGE_TOKENS
    assert len(finished(small, add(small, *(ask(content) for content in CONTENTS)))) == len(CONTENTS)
    small.close()


def test_closing_ends_the_managers_thread_and_may_be_done_twice(loaded: Any) -> None:
    closing = module.PagedTransformersBackend(loaded, name="chat", device="cpu", width=2, own_sampling=None)
    add(closing, ask("a", max_tokens=100))
    thread = closing._manager._generation_thread
    assert thread.is_alive()
    closing.close()
    assert not thread.is_alive()
    closing.close()


def test_a_prompt_beyond_the_context_is_refused(paged: Any) -> None:
    with pytest.raises(PromptRefused, match="context is 256"):
        paged.read(ask("word " * 60))


def test_replies_and_bulk_go_through_the_loop(loaded: Any) -> None:
    engine = in_thread(
        lambda: module.PagedTransformersBackend(loaded, name="chat", device="cpu", width=4, own_sampling=None)
    )
    inbox: SimpleQueue[Completion] = SimpleQueue()
    reply = replace(ask("a reply", candidates=2), lane=Lane.REPLIES)
    engine.submit([*(ask(f"product {number}") for number in range(12)), reply], inbox.put)
    completions = [inbox.get(timeout=60) for _ in range(14)]
    engine.close()
    assert {one.finish for one in completions} <= {Finish.STOP, Finish.LENGTH}
    assert all(0 < one.first_token_seconds <= one.seconds for one in completions)
    assert "a reply" in {one.request_id for one in completions[:10]}


def test_a_gpu_gets_continuous_batches_and_a_cpu_static_ones(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"name": "chat", "device": "auto", "own_sampling": None}
    monkeypatch.setattr(transformers, "load", lambda source, device: loaded)
    on_cpu = transformers.open_transformers("a/model", width=None, **options)
    assert (type(on_cpu).__name__, on_cpu.width) == ("TransformersBackend", transformers.STATIC_WIDTH)

    monkeypatch.setattr(transformers, "load", lambda source, device: replace(loaded, device=torch.device("cuda")))
    on_gpu = transformers.open_transformers("a/model", width=4, **options)
    on_gpu.close()
    assert (type(on_gpu).__name__, on_gpu.width) == ("PagedTransformersBackend", 4)

    monkeypatch.setattr(loaded.model, "init_continuous_batching", lambda **options: 1 / 0)
    assert type(transformers.open_transformers("a/model", width=4, **options)).__name__ == "TransformersBackend"
