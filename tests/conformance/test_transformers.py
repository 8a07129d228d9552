"""The transformers backend around its model: what failure costs whom, how tokens are picked, and loading."""

import dataclasses
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from engines import in_thread

from copydesk.engine.backend import Broken, OutOfMemory, Prompt, PromptRefused, Row, Text
from copydesk.engine.base import Completion, Engine, Finish, Message, Request
from copydesk.errors import ConfigurationError, ModelError
from copydesk.settings import Sampling

torch: Any = pytest.importorskip("torch", reason="needs the worker extra")
module: Any = pytest.importorskip("copydesk.engine.transformers", reason="needs the worker extra")
loading: Any = pytest.importorskip("copydesk.engine.loading", reason="needs the worker extra")


def ask(id: str, words: int = 1, candidates: int = 1, **sampling: Any) -> Request:
    return Request(id, (Message("user", "word " * words),), "", Sampling(**sampling), candidates)


def row(request: Request, *ids: int, shared: int = 0, index: int = 0) -> Row:
    return Row(request, index, Prompt(len(ids), ids, shared), 0.0)


# A batch and what becomes of it


class FakeModel:
    """In place of a loaded model: a token for each word, and it runs nothing."""

    device = torch.device("cpu")

    def read(self, request: Request) -> Prompt:
        ids = (1,) * len(request.messages[0].content.split())
        return Prompt(len(ids), ids)


class Faulty(module.TransformersBackend):  # type: ignore[misc] # mypy takes the module for Any
    """Fails as it is told, and remembers its batches."""

    def __init__(self) -> None:
        self.model, self.width = "fake", 4
        self._lm, self._rows, self._beginnings = FakeModel(), [], {}
        self.batches: list[list[str]] = []
        self.trouble: Callable[[Sequence[Row]], Exception | None] = lambda rows: None

    def _run(self, rows: Sequence[Row], tick: Callable[[], None]) -> list[Text]:
        self.batches.append([row.request.id for row in rows])
        if error := self.trouble(rows):
            raise error
        return [Text("a text", Finish.STOP, 3) for row in rows]


@pytest.fixture
def backend() -> Faulty:
    return Faulty()


@pytest.fixture
def engine(backend: Faulty) -> Iterator[Engine]:
    made = in_thread(lambda: backend)
    yield made
    made.close()


def answers(engine: Engine, *requests: Request) -> dict[str, Completion]:
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit(requests, inbox.put)
    completions = [inbox.get(timeout=10) for request in requests for _ in range(request.candidates)]
    return {completion.request_id: completion for completion in completions}


def step(backend: Any, *rows: Row) -> list[tuple[Row, Text]]:
    for one in rows:
        backend.add(one)
    return list(backend.step(lambda: None))


def test_a_request_with_more_candidates_than_a_batch_holds_is_split(engine: Engine, backend: Faulty) -> None:
    answers(engine, ask("many", candidates=6), ask("one"))
    assert sorted(map(len, backend.batches)) == [3, 4]


def test_out_of_memory_is_answered_with_smaller_batches(engine: Engine, backend: Faulty) -> None:
    backend.trouble = lambda rows: torch.OutOfMemoryError("CUDA out of memory.") if len(rows) > 1 else None
    completions = answers(engine, *(ask(str(number)) for number in range(4)))
    assert list(map(len, backend.batches)) == [4, 1, 1, 1, 1]
    assert {completion.finish for completion in completions.values()} == {Finish.STOP}


def test_out_of_memory_gives_back_what_was_kept(backend: Faulty) -> None:
    backend._beginnings[1, 2] = "a cache"
    backend.trouble = lambda rows: MemoryError()
    with pytest.raises(OutOfMemory):
        step(backend, row(ask("a"), 1))
    assert backend._beginnings == {}


def test_the_error_of_a_batch_that_did_not_fit_holds_none_of_its_tensors(backend: Faulty) -> None:
    backend.trouble = lambda rows: torch.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(OutOfMemory, match="CUDA out of memory") as caught:
        step(backend, row(ask("a"), 1))
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_row_that_does_not_fit_by_itself_fails_alone(engine: Engine, backend: Faulty) -> None:
    too_large = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
    backend.trouble = lambda rows: too_large if any(row.prompt.tokens > 50 for row in rows) else None
    completions = answers(engine, ask("large", words=60), ask("small"), ask("small too"))
    assert completions["large"].finish is Finish.FAILED
    assert "allocate memory" in completions["large"].error
    assert completions["small"].finish is completions["small too"].finish is Finish.STOP


def test_any_other_error_fails_its_batch_and_the_engine_goes_on(engine: Engine, backend: Faulty) -> None:
    backend.trouble = lambda rows: (
        ValueError("probability tensor contains nan\nmore") if len(backend.batches) == 1 else None
    )
    completions = answers(engine, ask("a"), ask("b"))
    assert {one.error for one in completions.values()} == {"ValueError: probability tensor contains nan"}
    assert answers(engine, ask("c"))["c"].text == "a text"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA"),
        torch.AcceleratorError("an illegal memory access was encountered"),
    ],
)
def test_an_error_after_which_cuda_answers_nothing_more_breaks_the_process(backend: Faulty, error: Exception) -> None:
    backend.trouble = lambda rows: error
    with pytest.raises(Broken, match=r"device-side assert|illegal memory"):
        step(backend, row(ask("a"), 1))


def test_running_out_of_memory_does_not_break_the_process_though_it_is_called_a_cuda_error() -> None:
    assert isinstance(module.named(RuntimeError("CUDA error: out of memory")), OutOfMemory)


def test_a_removed_row_is_not_run(backend: Faulty) -> None:
    gone, stays = row(ask("gone"), 1), row(ask("stays"), 1)
    backend.add(gone)
    backend.add(stays)
    backend.remove(gone)
    assert [one for one, _ in backend.step(lambda: None)] == [stays]
    assert backend.step(lambda: None) == []


# One batch through the model


@pytest.fixture
def chat(chat_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The backend with a small random model, in fp32: in bf16 the shape of a batch would change its texts."""
    monkeypatch.setattr(loading, "dtype_for", lambda device: torch.float32)
    torch.set_num_threads(1)  # so small a model gains nothing from threads
    return module.TransformersBackend(chat_checkpoint, name="chat", device="cpu", width=8, own_sampling=None)


EXAMPLE = (Message("user", "one two three " * 3), Message("assistant", "four five six " * 3))


def rows(chat: Any, *contents: str, candidates: int = 1, **sampling: Any) -> list[Row]:
    """Rows of prompts that begin alike."""
    asked = Sampling(**{"max_tokens": 16, "temperature": 0, **sampling})
    requests = [Request(content, (*EXAMPLE, Message("user", content)), "", asked, candidates) for content in contents]
    return [Row(request, index, chat.read(request), 0.0) for request in requests for index in range(request.candidates)]


def texts(ended: Sequence[tuple[Row, Text]]) -> dict[tuple[str, int], str]:
    return {(row.request.id, row.index): text.text for row, text in ended}


def test_a_batch_gives_the_texts_that_plain_generate_gives(chat: Any) -> None:
    asked = rows(chat, "a", "a longer one", "the longest of all the three")
    ended = dict(step(chat, *asked))
    for one in asked:
        ids = torch.tensor([one.prompt.data])
        plain = chat._lm.model.generate(ids, max_new_tokens=16, do_sample=False, pad_token_id=0)
        assert one.prompt.shared > 32
        assert ended[one] == chat._lm.text(plain[0, ids.shape[1] :].tolist())


def test_a_step_ticks_for_every_token_and_stamps_the_first(chat: Any) -> None:
    asked = rows(chat, "a", "b")
    ticks: list[float] = []
    for one in asked:
        chat.add(one)
    ended = chat.step(lambda: ticks.append(asked[0].first_token_at))
    assert len(ticks) == max(text.tokens for _, text in ended)
    assert len({one.first_token_at for one in asked}) == 1
    assert ticks[0] == ticks[-1] > 0


def test_a_seed_repeats_a_request_in_whatever_batch(chat: Any) -> None:
    contents = ["a", "a longer one", "the longest of all the three"]
    together = texts(step(chat, *rows(chat, *contents, temperature=1.0, seed=5)))
    assert texts(step(chat, *rows(chat, *contents[1:], temperature=1.0, seed=5))).items() <= together.items()
    assert texts(step(chat, *rows(chat, *contents, temperature=1.0, seed=6))) != together


def test_candidates_differ_with_a_seed_and_without(chat: Any) -> None:
    for seed in (5, None):
        assert len(set(texts(step(chat, *rows(chat, "a", candidates=4, seed=seed))).values())) == 4


def test_a_model_that_comes_without_settings_is_given_some(chat_checkpoint: Path, chat: Any) -> None:
    own = {"name": "own", "device": "cpu", "width": 8, "own_sampling": Sampling(temperature=0.9, top_p=0.9)}
    owning = module.TransformersBackend(chat_checkpoint, **own)
    named = texts(step(chat, *rows(chat, "a", "b", temperature=0.9, top_p=0.9, seed=5)))
    assert texts(step(owning, *rows(owning, "a", "b", temperature=None, seed=5))) == named
    greedy = texts(step(chat, *rows(chat, "a", "b")))
    assert texts(step(owning, *rows(owning, "a", "b"))) == greedy != named


def test_a_prompt_beyond_the_context_is_refused(chat: Any) -> None:
    with pytest.raises(PromptRefused, match="context is 256"):
        chat.read(ask("long", words=60))


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

    backend = Faulty()
    backend._lm = module.LanguageModel(Model(), Tokenizer(), torch.device("cpu"), None, False, (9,), None, True)
    asked = [row(ask("short"), 5, 6), row(ask("long"), 1, 2, 3, 4)]
    module.TransformersBackend._run(backend, asked, lambda: None)
    assert given["input_ids"].tolist() == [[5, 5, 5, 6], [1, 2, 3, 4]]
    assert given["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]


# How tokens are picked


def picker(request: Request, **own: Any) -> Any:
    model = SimpleNamespace(generation_config=module.GenerationConfig(**own))
    return module.LanguageModel(model, None, None, None, False, (), None, False).picker(row(request, 1))


@pytest.mark.parametrize(
    ("sampling", "candidates", "own", "expected"),
    [
        ({}, 1, {}, 0),
        ({}, 1, {"do_sample": True, "temperature": 0.6}, 0.6),
        ({}, 1, {"do_sample": True}, 1.0),
        ({"temperature": 0.0}, 1, {"do_sample": True}, 0),
        ({"temperature": 0.3}, 1, {}, 0.3),
        ({}, 2, {}, 0.8),
        ({}, 2, {"temperature": 0.6}, 0.6),
        ({"temperature": 0.0}, 2, {}, 0.8),
        ({"temperature": 0.3}, 2, {"temperature": 0.6}, 0.3),
        ({"top_p": 0.9}, 1, {}, 0),
    ],
)
def test_who_decides_whether_and_how_hot_a_row_is_sampled(
    sampling: dict[str, Any], candidates: int, own: dict[str, Any], expected: float
) -> None:
    assert picker(ask("a", candidates=candidates, **sampling), **own).temperature == expected


def test_what_a_request_names_wins_over_the_model_and_the_model_over_transformers() -> None:
    own = {"top_k": 7, "top_p": 0.7, "repetition_penalty": 1.1, "min_p": 0.1}
    named = picker(ask("a", top_k=0, top_p=0.9, repetition_penalty=1.2), **own)
    assert (named.top_k, named.top_p, named.repetition_penalty, named.min_p) == (0, 0.9, 1.2, 0.1)
    unnamed = picker(ask("a"), **own)
    assert (unnamed.top_k, unnamed.top_p, unnamed.repetition_penalty, unnamed.min_p) == (7, 0.7, 1.1, 0.1)
    nobody = picker(ask("a"))
    assert (nobody.top_k, nobody.top_p, nobody.repetition_penalty, nobody.min_p) == (50, 1, 1, 0)


def made_picker(temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0, seed: int = 0) -> Any:
    return module.Picker(temperature, top_k, top_p, min_p, 1.0, random.Random(seed))


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"temperature": 0.5},
        {"top_k": 3},
        {"top_p": 0.6},
        {"min_p": 0.3},
        {"temperature": 1.7, "top_k": 6, "top_p": 0.8, "min_p": 0.05},
    ],
)
def test_tokens_are_drawn_as_often_as_transformers_own_warpers_would_have_them(how: dict[str, Any]) -> None:
    from transformers.generation import logits_process as warpers

    scores = torch.tensor([[2.0, 1.5, 1.0, 0.5, 0.0, -0.5, -1.0, 1.2, 0.1, -3.0]])
    expected = warpers.TemperatureLogitsWarper(how.get("temperature", 1.0))(None, scores)
    expected = warpers.TopKLogitsWarper(how.get("top_k") or scores.shape[1])(None, expected)
    expected = warpers.TopPLogitsWarper(how.get("top_p", 1.0))(None, expected)
    expected = warpers.MinPLogitsWarper(how.get("min_p", 0.0))(None, expected).softmax(-1)[0]
    draws = 4000
    drawn = module.picked(scores.expand(draws, -1), [made_picker(**how, seed=seed) for seed in range(draws)])
    counts = Counter(drawn.tolist())
    for token, chance in enumerate(expected.tolist()):
        assert chance > 0 or counts[token] == 0
        assert counts[token] / draws == pytest.approx(chance, abs=0.03)


def test_greedy_rows_take_the_first_of_the_best_beside_rows_that_sample() -> None:
    scores = torch.tensor([[0.0, 3.0, 3.0, 1.0], [0.0, 0.0, 0.0, 9.0], [1.0, 3.0, 3.0, 2.0]])
    pickers = [made_picker(temperature=0), made_picker(temperature=0.01), made_picker(temperature=0)]
    assert module.picked(scores, pickers).tolist() == [1, 3, 1]
    assert module.picked(scores[::2], pickers[::2]).tolist() == [1, 1]


def test_a_row_draws_the_same_beside_rows_that_are_drawn_from_more_tokens() -> None:
    scores = torch.randn(2, 100, generator=torch.Generator().manual_seed(1))
    alone = [module.picked(scores[:1], [made_picker(top_k=5, seed=seed)]).item() for seed in range(20)]
    beside = [
        module.picked(scores, [made_picker(top_k=5, seed=seed), made_picker(top_k=90)])[0].item() for seed in range(20)
    ]
    assert beside == alone


def test_a_draw_that_rounds_up_to_everything_is_the_likeliest_token() -> None:
    class Highest:
        def random(self) -> float:
            return 1.0

    certain = made_picker(top_k=2)
    drawn = module.picked(torch.tensor([[1.0, 5.0, 0.0]]), [dataclasses.replace(certain, draws=Highest())])
    assert drawn.tolist() == [1]


# Loading


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="COPYDESK_DEVICE=warp"):
        loading.load(Path("x"), "warp")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ModelError, match=r"not a model: set COPYDESK_MODEL to a checkpoint folder or a \.gguf file"):
        loading.load(tmp_path / "notes.txt", "cpu")


def test_a_folder_with_a_gguf_file_is_told_to_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").touch()
    with pytest.raises(ModelError, match=r"set COPYDESK_MODEL to the file itself, .*x\.gguf"):
        loading.load(tmp_path, "cpu")


def test_an_id_that_cannot_be_fetched_names_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(source: str, **options: Any) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files")

    monkeypatch.setattr(loading.AutoTokenizer, "from_pretrained", no_network)
    with pytest.raises(ModelError, match=r"couldn't connect.*check the network.*set COPYDESK_MODEL to its folder"):
        loading.load("org/name", "cpu")


def test_a_file_that_is_not_really_gguf_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    gguf = tmp_path / "x.gguf"
    gguf.write_bytes(b"not GGUF at all")
    with pytest.raises(ModelError, match="cannot be read by transformers"):
        loading.load(gguf, "cpu")
    assert list((tmp_path / "converted").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    gguf = tmp_path / "x.gguf"
    gguf.touch()
    (tmp_path / "converted").write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="make the folder writable"):
        loading.load(gguf, "cpu")


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

    monkeypatch.setattr(loading, "_save_twin", save)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(loading._converted(gguf, torch.float32))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.append(loading._converted(gguf, torch.float32))
    assert len(conversions) == 2
    assert len(set(found)) == 1
    assert list((tmp_path / "converted").iterdir()) == [found[0]]
    assert (found[0] / "config.json").is_file()


def test_another_file_under_the_same_name_is_converted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_save_twin", lambda gguf, folder, dtype: None)
    gguf = tmp_path / "x.gguf"
    gguf.write_bytes(b"GGUF")
    first = loading._converted(gguf, torch.float32)
    assert loading._converted(gguf, torch.bfloat16) != first
    gguf.write_bytes(b"GGUF, a longer one")
    assert loading._converted(gguf, torch.float32) != first
