"""GGUF files for OpenVINO: what it would read wrongly is written anew, once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
gguf = pytest.importorskip("gguf")

from copydesk.engine import gguf_files  # noqa: E402 - it needs gguf
from copydesk.errors import ModelError  # noqa: E402

F32, F16, Q4_0, Q4_1, Q5_1, Q8_0 = (
    gguf.GGMLQuantizationType[name] for name in ("F32", "F16", "Q4_0", "Q4_1", "Q5_1", "Q8_0")
)

Write = Callable[[Any], Path]


def tensors(file: Path) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}


def numbers(tensor: Any) -> Any:
    return gguf.dequantize(tensor.data, tensor.tensor_type)


@pytest.mark.parametrize("kind", [Q4_0, Q4_1, Q5_1])
def test_what_openvino_would_round_is_kept_in_eight_bits(quantized_gguf: Write, kind: Any) -> None:
    file = quantized_gguf(kind)
    twin = gguf_files.exact(file)
    before, after = tensors(file), tensors(twin)
    assert list(before) == list(after)
    assert {tensor.tensor_type for tensor in before.values()} == {kind, F32}
    assert {tensor.tensor_type for tensor in after.values()} == {Q8_0, F32}
    for name, tensor in before.items():
        meant, read = numbers(tensor), numbers(after[name])
        assert meant.shape == read.shape
        step = np.abs(meant).max() / 127
        assert np.abs(meant - read).max() <= 0.6 * step  # half a step, and the 16 bits of the step itself


def test_everything_else_in_the_file_is_kept(quantized_gguf: Write) -> None:
    file = quantized_gguf(Q4_1)
    before, after = gguf.GGUFReader(file).fields, gguf.GGUFReader(gguf_files.exact(file)).fields
    own = {name for name in before if not name.startswith("GGUF.") and name != "general.file_type"}
    assert "tokenizer.chat_template" in own
    assert {name: before[name].contents() for name in own} == {name: after[name].contents() for name in own}
    assert gguf_files.sizes(file) == gguf_files.sizes(gguf_files.exact(file))


def test_the_twin_is_made_once(quantized_gguf: Write) -> None:
    file = quantized_gguf(Q4_1)
    first = gguf_files.exact(file)
    made = first.stat().st_mtime_ns
    assert gguf_files.exact(file) == first
    assert first.stat().st_mtime_ns == made


def test_a_file_that_needs_no_twin_gets_none(chat_gguf: Path) -> None:
    assert gguf_files.exact(chat_gguf) == chat_gguf


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF is only how it begins")
    with pytest.raises(ModelError, match=r"x\.gguf cannot be read .*: pull it again"):
        gguf_files.exact(tmp_path / "x.gguf")
