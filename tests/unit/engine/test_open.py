"""From settings to a backend, and which one where none is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from copydesk.engine import choosing
from copydesk.engine import open as opening
from copydesk.engine.choosing import Choice, choices
from copydesk.engine.open import open_backend
from copydesk.engine.scripted import ScriptedBackend
from copydesk.errors import ConfigurationError, ModelError
from copydesk.settings import Settings


def test_the_scripted_backend_needs_no_model(tmp_path: Path) -> None:
    backend = open_backend(Settings(engine="scripted", data_dir=tmp_path))
    assert isinstance(backend, ScriptedBackend)


@pytest.mark.parametrize("name", ["transformers", "openvino", "vllm"])
def test_a_missing_extra_gives_the_pip_command(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"copydesk.engine.{name}", None)
    (tmp_path / "openvino_model.xml").touch()
    extra = {"transformers": "worker"}.get(name, name)
    with pytest.raises(ConfigurationError, match=rf"pip install '.\[{extra}\]'"):
        open_backend(Settings(engine=name, model=str(tmp_path)))


@pytest.mark.parametrize("name", ["transformers", "openvino", "vllm"])
def test_a_missing_model_is_named_before_anything_large_is_imported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"copydesk.engine.{name}", None)
    with pytest.raises(ModelError, match="copydesk model pull"):
        open_backend(Settings(engine=name, data_dir=tmp_path))


def test_torch_is_imported_by_nobody_who_does_not_need_it() -> None:
    script = "import sys, copydesk.engine.open; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0


class Machine:
    """Pretends what a machine has."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    def has(self, *modules: str, gpus: int = 0) -> None:
        self.patch.setattr(choosing, "_installed", lambda module: module in modules)
        self.patch.setattr(choosing, "cuda_devices", lambda: gpus)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def gguf(tmp_path: Path) -> str:
    path = tmp_path / "model.gguf"
    path.touch()
    return str(path)


def backends(settings: Settings) -> list[str]:
    return [choice.backend for choice in choices(settings)]


def test_on_a_cpu_openvino_is_taken_where_it_is_installed(machine: Machine, gguf: str) -> None:
    machine.has("openvino_genai")
    assert backends(Settings(model=gguf)) == ["openvino", "transformers"]
    machine.has()
    (only,) = choices(Settings(model=gguf))
    assert only.backend == "transformers"
    assert "pip install '.[openvino]'" in only.why


def test_on_a_gpu_vllm_is_taken_where_it_is_installed(machine: Machine, gguf: str) -> None:
    machine.has("openvino_genai", "vllm", gpus=1)
    assert backends(Settings(model=gguf)) == ["vllm", "transformers"]
    machine.has("openvino_genai", gpus=1)
    assert backends(Settings(model=gguf)) == ["transformers"]


def test_a_gpu_that_is_not_wanted_is_not_taken(machine: Machine, gguf: str) -> None:
    machine.has("openvino_genai", "vllm", gpus=1)
    assert backends(Settings(model=gguf, device="cpu")) == ["openvino", "transformers"]


def test_openvino_is_not_given_what_it_cannot_read(machine: Machine, tmp_path: Path) -> None:
    machine.has("openvino_genai")
    assert backends(Settings(model="Qwen/Qwen3-0.6B")) == ["transformers"]
    assert backends(Settings(model=str(tmp_path))) == ["transformers"]
    (tmp_path / "openvino_model.xml").touch()
    assert backends(Settings(model=str(tmp_path))) == ["openvino", "transformers"]


def test_a_backend_that_is_named_is_taken(machine: Machine, gguf: str) -> None:
    machine.has("openvino_genai", gpus=1)
    assert choices(Settings(engine="openai", model="any")) == [Choice("openai", "COPYDESK_ENGINE names it")]


def test_what_the_first_choice_cannot_load_the_second_may(
    machine: Machine, gguf: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine.has("openvino_genai")

    def refuses(settings: Settings) -> ScriptedBackend:
        raise ModelError("Q5 tensors")

    monkeypatch.setitem(opening._OPENERS, "openvino", refuses)
    monkeypatch.setitem(opening._OPENERS, "transformers", lambda settings: ScriptedBackend())
    assert open_backend(Settings(model=gguf)).model == "scripted"
    assert "openvino cannot be used: Q5 tensors" in caplog.text


def test_when_nothing_can_load_it_the_first_choice_is_heard(
    machine: Machine, gguf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has("openvino_genai")

    def refuses(word: str) -> object:
        def refuse(settings: Settings) -> ScriptedBackend:
            raise ModelError(word)

        return refuse

    monkeypatch.setitem(opening._OPENERS, "openvino", refuses("first"))
    monkeypatch.setitem(opening._OPENERS, "transformers", refuses("second"))
    with pytest.raises(ModelError, match="first"):
        open_backend(Settings(model=gguf))
