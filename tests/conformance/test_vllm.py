"""What only the vllm backend can be asked. One engine for all: on a CPU it takes most of a minute to open."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from copydesk.engine.backend import Broken, OutOfMemory, PromptRefused, Row, Text
from copydesk.engine.base import Finish, Message, Request
from copydesk.errors import ConfigurationError, ModelError
from copydesk.settings import Sampling

pytest.importorskip("vllm", reason="needs the vllm extra")
pytestmark = pytest.mark.filterwarnings("ignore")  # vLLM's imports warn of much


@pytest.fixture(scope="module")
def module() -> Any:
    return pytest.importorskip("copydesk.engine.vllm", reason="needs the vllm extra")


@pytest.fixture(scope="module")
def backend(module: Any, chat_checkpoint: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_CI_ENV", "1")  # compile nothing
        made = module.VllmBackend(chat_checkpoint, name="test", device="auto", width=8, own_sampling=None, cache_gb=1)
    yield made
    made.close()


def ask(content: str, candidates: int = 1, **sampling: Any) -> Request:
    return Request("id", (Message("user", content),), "", Sampling(**{"max_tokens": 20, **sampling}), candidates)


def rows(backend: Any, *requests: Request) -> list[Row]:
    now = time.monotonic()
    return [Row(one, index, backend.read(one), now) for one in requests for index in range(one.candidates)]


def answers(backend: Any, rows: Sequence[Row]) -> list[Text]:
    """Run the rows to their ends."""
    for row in rows:
        backend.add(row)
    ended: dict[Row, Text] = {}
    for _ in range(500):
        ended.update(backend.step(lambda: None))
        if len(ended) == len(rows):
            break
    return [ended[row] for row in rows]


def fail_steps(backend: Any, patch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise error

    patch.setattr(backend._engine.model_executor, "execute_model", fail)


def test_the_first_token_comes_before_the_end(backend: Any) -> None:
    (row,) = rows(backend, ask("a lamp", temperature=0))
    (text,) = answers(backend, [row])
    assert row.submitted_at < row.first_token_at < time.monotonic()
    assert text.tokens == 20 or text.finish is Finish.STOP


def test_a_seed_repeats_the_candidates_and_they_differ(backend: Any) -> None:
    first = answers(backend, rows(backend, ask("a lamp", 4, seed=7, temperature=1)))
    again = answers(backend, rows(backend, ask("a lamp", 4, seed=7, temperature=1)))
    assert [text.text for text in first] == [text.text for text in again]
    assert len({text.text for text in first}) == 4


def test_without_a_seed_no_two_runs_are_the_same(backend: Any) -> None:
    texts = [answers(backend, rows(backend, ask("a lamp", 2, temperature=1))) for _ in range(2)]
    assert len({text.text for run in texts for text in run}) == 4


def test_a_removed_row_leaves_nothing_behind_and_the_others_go_on(backend: Any) -> None:
    alone = answers(backend, rows(backend, ask("b" * 40, temperature=0)))
    unwanted, wanted = rows(backend, ask("a" * 40, max_tokens=100, temperature=0), ask("b" * 40, temperature=0))
    backend.add(unwanted)
    backend.step(lambda: None)
    backend.remove(unwanted)
    assert answers(backend, [wanted]) == alone
    assert backend._engine.get_num_unfinished_requests() == 0


def test_what_a_failed_step_was_to_read_is_not_taken_for_read(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    long = [ask(f"{'the same beginning ' * 5}{number}", temperature=0) for number in range(3)]
    expected = answers(backend, rows(backend, *long))
    assert backend._engine.reset_prefix_cache()
    failing = rows(backend, *long)
    with monkeypatch.context() as patch:
        fail_steps(backend, patch, RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
        for row in failing:
            backend.add(row)
        with pytest.raises(OutOfMemory):
            backend.step(lambda: None)
    for row in failing:
        backend.remove(row)
    assert answers(backend, rows(backend, *long)) == expected


def test_an_error_of_cuda_is_the_end(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = rows(backend, ask("a lamp"))
    backend.add(row)
    with monkeypatch.context() as patch:
        fail_steps(backend, patch, RuntimeError("CUDA error: an illegal memory access was encountered"))
        with pytest.raises(Broken, match="illegal memory access"):
            backend.step(lambda: None)
    backend.remove(row)


def test_any_other_error_of_a_step_is_passed_on(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = rows(backend, ask("a lamp"))
    backend.add(row)
    with monkeypatch.context() as patch:
        fail_steps(backend, patch, ValueError("probability tensor contains nan"))
        with pytest.raises(ValueError, match="nan"):
            backend.step(lambda: None)
    backend.remove(row)


def test_a_prompt_beyond_the_context_is_refused_with_the_numbers(backend: Any) -> None:
    with pytest.raises(PromptRefused, match=r"300 more, but the model's context is 256: .*MAX_TOKENS"):
        backend.read(ask("a lamp", max_tokens=300))


def test_a_prompt_that_vllm_itself_refuses_is_no_error_of_the_engine(backend: Any) -> None:
    (row,) = rows(backend, ask("a lamp"))
    object.__setattr__(row.prompt, "data", (10**9,))
    with pytest.raises(PromptRefused, match="vocabulary"):
        backend.add(row)
    assert backend._engine.get_num_unfinished_requests() == 0


def test_a_model_that_does_not_sample_by_itself_is_greedy(module: Any) -> None:
    assert module._own_sampling({}).temperature == 0
    assert module._own_sampling({"temperature": 0.6}).temperature == 0
    own = module._own_sampling({"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95})
    assert (own.temperature, own.top_k, own.top_p) == (0.6, 20, 0.95)


@pytest.mark.parametrize("device", ["tpu", "cuda:none", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(module: Any, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(ConfigurationError, match=device):
        module._takes_device(device)


def test_a_folder_that_is_no_checkpoint_is_a_model_error(module: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        module.VllmBackend(tmp_path)
