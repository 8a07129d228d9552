"""What the openvino backend has to know of a GGUF file, and the twin of it that OpenVINO reads as it is meant."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter

from copydesk.engine.converted import converted
from copydesk.errors import ModelError

EXACT = {GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.Q8_0}
"""Tensors that OpenVINO reads as they are meant.

The offsets of 4-bit ones it rounds to whole multiples of their scales. With SmolLM2 in Q4_1 the chances of the next
token were 0.30 (total variation) away from those that transformers computes in fp32 from the same file, 0.06 with the
same weights in Q8_0 (drawing 300 times gives 0.04 by itself), and half as many texts passed the guards.
"""

WRITTEN_ANEW = {"general.architecture", "general.file_type", "general.alignment", "general.quantization_version"}


def sizes(file: Path) -> tuple[int, int, int, int | None]:
    """Layers, key-value heads, numbers in a head, longest text in tokens. Raises KeyError if the file lacks one."""
    fields = GGUFReader(file).fields
    kind = fields["general.architecture"].contents()

    def number(name: str) -> int | None:
        field = fields.get(f"{kind}.{name}")
        return None if field is None else int(field.contents())

    heads = number("attention.head_count")
    layers, width = number("block_count"), number("embedding_length")
    if not (heads and layers and width):
        raise KeyError(f"{kind}.block_count")
    head_size = number("attention.key_length") or width // heads
    return layers, number("attention.head_count_kv") or heads, head_size, number("context_length")


def exact(file: Path) -> Path:
    """The file itself if all its tensors are EXACT; else its twin, made on first use, with the others in Q8_0.

    Raises:
        ModelError: the file cannot be read, or its twin not be written.
    """
    try:
        reader = GGUFReader(file)
        if all(tensor.tensor_type in EXACT for tensor in reader.tensors):
            return file
        return converted(file, "q8_0", lambda folder: _write(reader, folder / "model.gguf")) / "model.gguf"
    except (ValueError, KeyError, IndexError, NotImplementedError) as error:  # damaged, or of a kind gguf cannot unpack
        raise ModelError(
            f"{file} cannot be read ({error!r}): pull it again, or set COPYDESK_MODEL to a checkpoint folder"
        ) from error


def _write(reader: GGUFReader, target: Path) -> None:
    """One tensor in memory at a time: a large model's would not all fit."""
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    try:
        _copy_fields(reader.fields.values(), writer)
        for tensor in reader.tensors:
            kind = _kind(tensor)
            shape, dtype = tensor.data.shape, tensor.data.dtype
            if kind is not tensor.tensor_type:
                plain = tuple(int(size) for size in reversed(tensor.shape))
                whole = kind is GGMLQuantizationType.F32
                shape = plain if whole else gguf.quant_shape_to_byte_shape(plain, kind)
                dtype = np.dtype(np.float32 if whole else np.uint8)
            size = int(np.prod(shape)) * dtype.itemsize
            writer.add_tensor_info(tensor.name, shape, dtype, size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in reader.tensors:
            writer.write_tensor_data(_data(tensor))
    finally:
        writer.close()


def _copy_fields(fields: Iterable[Any], writer: GGUFWriter) -> None:
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    for field in fields:
        if field.name.startswith("GGUF.") or field.name in WRITTEN_ANEW:
            continue
        kind = field.types[0]
        of = field.types[-1] if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=of)


def _kind(tensor: Any) -> GGMLQuantizationType:
    if tensor.tensor_type in EXACT:
        kind: GGMLQuantizationType = tensor.tensor_type
        return kind
    # Vectors (norms, biases) are small, and Q8_0 wants rows of 32.
    return GGMLQuantizationType.Q8_0 if len(tensor.shape) > 1 else GGMLQuantizationType.F32


def _data(tensor: Any) -> Any:
    kind = _kind(tensor)
    if kind is tensor.tensor_type:
        return tensor.data
    return gguf.quantize(gguf.dequantize(tensor.data, tensor.tensor_type), kind)
