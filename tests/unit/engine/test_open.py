"""From settings to an engine."""

import subprocess
import sys
from pathlib import Path

import pytest

from copydesk.engine.open import open_engine
from copydesk.engine.scripted import ScriptedEngine
from copydesk.errors import ConfigurationError, ModelError
from copydesk.settings import Settings


def test_the_scripted_engine_needs_no_model(tmp_path: Path) -> None:
    engine = open_engine(Settings(engine="scripted", data_dir=tmp_path))
    assert isinstance(engine, ScriptedEngine)
    engine.close()


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "copydesk.engine.transformers", None)
    with pytest.raises(ConfigurationError, match=r"pip install '.\[worker\]'"):
        open_engine(Settings(engine="transformers", model=str(tmp_path)))


def test_a_missing_model_is_named_before_torch_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "copydesk.engine.transformers", None)
    with pytest.raises(ModelError, match="copydesk model pull"):
        open_engine(Settings(engine="transformers", data_dir=tmp_path))


def test_torch_is_imported_by_nobody_who_does_not_need_it() -> None:
    script = "import sys, copydesk.engine.open; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0
