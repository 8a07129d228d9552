"""The transformers engine around its model: which rows share a batch, what failure costs whom, and loading."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.errors import ConfigurationError, ModelError
from copydesk.settings import Sampling

pytest.importorskip("torch", reason="needs the worker extra")
module: Any = pytest.importorskip("copydesk.engine.transformers", reason="needs the worker extra")


def ask(id: str, words: int = 1, candidates: int = 1, **sampling: Any) -> Request:
    return Request(id, (Message("user", "word " * words),), "", Sampling(**sampling), candidates)


def row(id: str, length: int, **options: Any) -> Any:
    (made,) = module._rows(ask(id, **options), (1,) * length, print)
    return made


class FakeRunner:
    """In place of a loaded model: fails as it is told, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.trouble: Callable[[Sequence[Any]], Exception | None] = lambda rows: None

    def encode(self, request: Request) -> tuple[tuple[int, ...], int]:
        return (1,) * len(request.messages[0].content.split()), 0

    def refusal(self, prompt_ids: Sequence[int], sampling: Sampling) -> str:
        return ""

    def free_memory(self) -> None:
        pass

    def generate(self, rows: Sequence[Any]) -> list[Any]:
        self.batches.append([row.request.id for row in rows])
        if error := self.trouble(rows):
            raise error
        return [module._Text(f"text of {row.request.id}", Finish.STOP, 3) for row in rows]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    fake = FakeRunner()
    monkeypatch.setattr(module, "load", lambda source, device: fake)
    return fake


@pytest.fixture
def engine(runner: FakeRunner) -> Iterator[Any]:
    made = module.TransformersEngine("fake", batch_size=4)
    yield made
    made.close()


def answers(engine: Any, *requests: Request) -> dict[str, Completion]:
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit(requests, inbox.put)
    completions = [inbox.get(timeout=10) for request in requests for _ in range(request.candidates)]
    return {completion.request_id: completion for completion in completions}


def picked(waiting: list[Any], batch_size: int) -> list[str]:
    return sorted(row.request.id for row in module.pick(waiting, batch_size))


def test_the_oldest_row_is_always_in_the_batch() -> None:
    waiting = [row("oldest", 50), *(row(str(number), 10) for number in range(9))]
    assert "oldest" in picked(waiting, 4)


def test_rows_of_similar_length_share_a_batch() -> None:
    waiting = [row("b1", 20), row("a", 5), row("c", 90), row("b2", 22), row("d", 100), row("b3", 19)]
    assert picked(waiting, 3) == ["b1", "b2", "b3"]


def test_a_batch_is_full_when_enough_wait_even_if_lengths_differ() -> None:
    assert picked([row("a", 5), row("b", 90), row("c", 91)], 3) == ["a", "b", "c"]


def test_rows_of_other_sampling_wait_for_their_own_batch() -> None:
    waiting = [row("warm", 5, temperature=0.7), row("cold", 5, temperature=0), row("warm too", 9, temperature=0.7)]
    assert picked(waiting, 4) == ["warm", "warm too"]


def test_rows_with_different_seeds_share_a_batch() -> None:
    assert picked([row("a", 5, seed=1), row("b", 5, seed=2), row("unseeded", 5)], 4) == ["a", "b"]


def test_a_request_with_more_candidates_than_a_batch_holds_is_split(engine: Any, runner: FakeRunner) -> None:
    answers(engine, ask("many", candidates=6), ask("one"))
    assert sorted(map(len, runner.batches)) == [1, 2, 4]


def test_out_of_memory_halves_the_batch(engine: Any, runner: FakeRunner) -> None:
    runner.trouble = lambda rows: module.torch.OutOfMemoryError("CUDA out of memory.") if len(rows) > 1 else None
    completions = answers(engine, *(ask(str(number)) for number in range(4)))
    assert [len(batch) for batch in runner.batches] == [4, 2, 1, 1, 2, 1, 1]
    assert {completion.finish for completion in completions.values()} == {Finish.STOP}


def test_a_row_that_does_not_fit_by_itself_fails_alone(engine: Any, runner: FakeRunner) -> None:
    too_large = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
    runner.trouble = lambda rows: too_large if any(len(row.prompt_ids) > 50 for row in rows) else None
    completions = answers(engine, ask("large", words=60), ask("small"), ask("small too"))
    assert completions["large"].finish is Finish.FAILED
    assert "allocate memory" in completions["large"].error
    assert completions["small"].finish is completions["small too"].finish is Finish.STOP


def test_any_other_error_fails_its_batch_and_the_engine_goes_on(engine: Any, runner: FakeRunner) -> None:
    runner.trouble = lambda rows: (
        ValueError("probability tensor contains nan\nmore") if len(runner.batches) == 1 else None
    )
    completions = answers(engine, ask("a"), ask("b"))
    assert {one.error for one in completions.values()} == {"ValueError: probability tensor contains nan"}
    assert answers(engine, ask("c"))["c"].text == "text of c"


def test_the_batch_under_way_is_delivered_when_the_engine_closes(engine: Any, runner: FakeRunner) -> None:
    started, go_on = threading.Event(), threading.Event()

    def hold(rows: Sequence[Any]) -> None:
        started.set()
        go_on.wait(10)

    runner.trouble = hold
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([ask(str(number)) for number in range(6)], inbox.put)
    assert started.wait(10)
    closing = threading.Thread(target=engine.close)
    closing.start()
    while not engine._closed:
        pass
    go_on.set()
    closing.join(10)
    finishes = [inbox.get(timeout=1).finish for _ in range(6)]
    assert finishes == [Finish.STOP] * 4 + [Finish.CLOSED] * 2


def test_the_model_is_recorded_as_the_settings_name_it(runner: FakeRunner) -> None:
    engine = module.TransformersEngine(Path("/models/x"), name="x")
    engine.close()
    assert engine.model == "x"


def test_the_padding_adds_no_token_to_a_prompt_that_repetition_penalty_could_punish() -> None:
    given: dict[str, Any] = {}

    class Model:
        generation_config = module.GenerationConfig()

        def generate(self, **options: Any) -> Any:
            given.update(options)
            return options["input_ids"]

    class Tokenizer:
        pad_token_id = 0

        def decode(self, ids: Sequence[int], **options: Any) -> str:
            return ""

    runner = module._Runner(Model(), Tokenizer(), module.torch.device("cpu"), None, False, (9,), None, True)
    rows = [module._rows(ask("short"), (5, 6), print)[0], module._rows(ask("long"), (1, 2, 3, 4), print)[0]]
    runner.generate(rows)
    assert given["input_ids"].tolist() == [[5, 5, 5, 6], [1, 2, 3, 4]]
    assert given["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("sampling", "several", "own", "expected"),
    [
        ({}, False, {}, (False, None)),
        ({}, False, {"do_sample": True, "temperature": 0.6}, (True, None)),
        ({"temperature": 0.0}, False, {"do_sample": True}, (False, None)),
        ({"temperature": 0.3}, False, {}, (True, 0.3)),
        ({}, True, {}, (True, 0.8)),
        ({}, True, {"temperature": 0.6}, (True, 0.6)),
        ({"temperature": 0.0}, True, {}, (True, 0.8)),
        ({"temperature": 0.3}, True, {"temperature": 0.6}, (True, 0.3)),
        ({"top_p": 0.9}, False, {}, (False, None)),
    ],
)
def test_who_decides_how_tokens_are_picked(
    sampling: dict[str, Any], several: bool, own: dict[str, Any], expected: tuple[bool, float | None]
) -> None:
    made = module.generation(Sampling(**sampling), several, module.GenerationConfig(**own))
    assert (made["do_sample"], made["temperature"]) == expected


def test_top_k_of_zero_turns_it_off_and_unset_leaves_it_to_the_model() -> None:
    assert module.generation(Sampling(top_k=0), False, module.GenerationConfig())["top_k"] == 0
    assert module.generation(Sampling(), False, module.GenerationConfig())["top_k"] is None


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="COPYDESK_DEVICE=warp"):
        module.load(Path("x"), "warp")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ModelError, match=r"not a model: set COPYDESK_MODEL to a checkpoint folder or a \.gguf file"):
        module.load(tmp_path / "notes.txt", "cpu")


def test_a_folder_with_a_gguf_file_is_told_to_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").touch()
    with pytest.raises(ModelError, match=r"set COPYDESK_MODEL to the file itself, .*x\.gguf"):
        module.load(tmp_path, "cpu")


def test_an_id_that_cannot_be_fetched_names_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(source: str, **options: Any) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files")

    monkeypatch.setattr(module.AutoTokenizer, "from_pretrained", no_network)
    with pytest.raises(ModelError, match=r"couldn't connect.*check the network.*set COPYDESK_MODEL to its folder"):
        module.load("org/name", "cpu")


def test_a_file_that_is_not_really_gguf_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    gguf = tmp_path / "x.gguf"
    gguf.write_bytes(b"not GGUF at all")
    with pytest.raises(ModelError, match="cannot be read by transformers"):
        module.load(gguf, "cpu")
    assert list((tmp_path / "converted").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    gguf = tmp_path / "x.gguf"
    gguf.touch()
    (tmp_path / "converted").write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="make the folder writable"):
        module.load(gguf, "cpu")


def test_two_processes_may_convert_at_once_and_later_ones_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gguf = tmp_path / "x.gguf"
    gguf.write_bytes(b"GGUF")
    both = threading.Barrier(2, timeout=10)
    conversions: list[Path] = []

    def save(gguf: Path, folder: Path, dtype: Any) -> None:
        conversions.append(folder)
        (folder / "config.json").write_text("{}")
        both.wait()

    monkeypatch.setattr(module, "_save_twin", save)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(module._converted(gguf, module.torch.float32))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.append(module._converted(gguf, module.torch.float32))
    assert len(conversions) == 2
    assert len(set(found)) == 1
    assert list((tmp_path / "converted").iterdir()) == [found[0]]
    assert (found[0] / "config.json").is_file()


def test_another_file_under_the_same_name_is_converted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_save_twin", lambda gguf, folder, dtype: None)
    gguf = tmp_path / "x.gguf"
    gguf.write_bytes(b"GGUF")
    first = module._converted(gguf, module.torch.float32)
    assert module._converted(gguf, module.torch.bfloat16) != first
    gguf.write_bytes(b"GGUF, a longer one")
    assert module._converted(gguf, module.torch.float32) != first
