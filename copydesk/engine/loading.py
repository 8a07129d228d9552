"""From a checkpoint folder, a .gguf file or a Hugging Face id to a model that torch can run."""

import contextlib
import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers import __version__ as transformers_version
from transformers.utils import logging as transformers_logging

from copydesk.engine.backend import said
from copydesk.engine.converted import converted
from copydesk.errors import ConfigurationError, ModelError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that runs on `device`, and its tokenizer."""

    model: Any
    tokenizer: Any
    device: torch.device


def load(source: Path | str, device: str = "auto") -> Loaded:
    """Load a checkpoint folder, a .gguf file (converted on first use) or a Hugging Face id.

    Raises:
        ConfigurationError: there is no such device.
        ModelError: the model cannot be found, fetched or loaded.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    place = device_of(device, "COPYDESK_DEVICE")
    dtype = dtype_for(place)
    if isinstance(source, Path):
        source = checkpoint(source, dtype)
    tokenizer, model = _load_pretrained(source, dtype)
    return Loaded(_placed(model, place).eval(), tokenizer, place)


def device_of(name: str, setting: str) -> torch.device:
    """The device that a setting names. Raises ConfigurationError, naming the setting."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA answers with an AssertionError
        raise ConfigurationError(
            f"{setting}={name} cannot be used ({said(error)}): set it to auto, cpu, cuda or cuda:N"
        ) from error
    return device


def dtype_for(device: torch.device) -> torch.dtype:
    """bf16 where the hardware multiplies it; elsewhere torch emulates it, slower than fp32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        native = any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if native else torch.float32


def _placed(model: Any, device: torch.device) -> Any:
    try:
        return model.to(device)
    except RuntimeError as error:
        raise ModelError(
            f"the model does not fit on {device} ({said(error)}): choose a smaller one, or set COPYDESK_DEVICE=cpu"
        ) from error


def _load_pretrained(source: Path | str, dtype: torch.dtype) -> tuple[Any, Any]:
    try:
        return AutoTokenizer.from_pretrained(source), _whole_model(source, dtype=dtype)
    except Exception as error:  # the library raises OSError, ValueError, KeyError, ImportError and those of safetensors
        raise ModelError(_why_not_loaded(source, error)) from error


def _whole_model(source: Path | str, **options: Any) -> Any:
    """The model, unless its file lacks tensors: transformers fills those with random numbers, and only logs it."""
    model, loaded = AutoModelForCausalLM.from_pretrained(source, output_loading_info=True, **options)
    if missing := loaded["missing_keys"]:
        raise ValueError(f"its weights lack {len(missing)} tensors, {min(missing)} among them")
    return model


def _why_not_loaded(source: Path | str, error: Exception) -> str:
    if isinstance(source, Path):
        return (
            f"the checkpoint in {source} cannot be loaded ({said(error)}): it must be complete, and of a kind that "
            f"transformers {transformers_version} knows; download it again or set COPYDESK_MODEL to another"
        )
    return (
        f"the model {source} cannot be fetched from the Hugging Face hub or loaded ({said(error)}): check the network "
        "and the id (HF_TOKEN for a gated model), or download the checkpoint elsewhere and set COPYDESK_MODEL to its "
        "folder"
    )


def checkpoint(path: Path, dtype: torch.dtype) -> Path:
    """A whole checkpoint folder; of a .gguf file its twin in `dtype`, made on first use. Raises ModelError."""
    if path.is_dir():
        _refuse_incomplete(path)
        return path
    if path.suffix.lower() == ".gguf" and path.is_file():
        return _converted(path, dtype)
    raise ModelError(f"{path} is not a model: set COPYDESK_MODEL to a checkpoint folder or a .gguf file")


def _refuse_incomplete(folder: Path) -> None:
    if not (folder / "config.json").is_file() and (gguf := next(folder.glob("*.gguf"), None)):
        raise ModelError(f"{folder} holds a GGUF file: set COPYDESK_MODEL to the file itself, {gguf}")
    needed: list[tuple[str, Iterable[str]]] = [
        ("config.json", ["config.json"]),
        ("weights (*.safetensors)", ["*.safetensors", "pytorch_model*.bin"]),
        ("a tokenizer (tokenizer.json)", ["tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"]),
    ]
    missing = [what for what, patterns in needed if not any(any(folder.glob(pattern)) for pattern in patterns)]
    if missing:
        raise ModelError(
            f"{folder} is not a complete checkpoint, it lacks {' and '.join(missing)}: copy every file of the model "
            "into it, or set COPYDESK_MODEL to another folder"
        )


# GGUF ---------------------------------------------------------------------------------------------------------------


def _converted(gguf: Path, dtype: torch.dtype) -> Path:
    """The folder with the safetensors twin of a GGUF file, made on first use.

    Reading SmolLM2's 98 MB GGUF takes transformers 24 s every time, reading its twin 0.3 s.
    """
    form = f"{transformers_version}-{str(dtype).removeprefix('torch.')}"
    return converted(gguf, form, lambda folder: _save_twin(gguf, folder, dtype))


def _save_twin(gguf: Path, folder: Path, dtype: torch.dtype) -> None:
    unpacked = GgufConfig(dequantize=True)
    try:
        # Of all of transformers' progress bars only the one for GGUF tensors has no switch.
        with contextlib.redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = _whole_model(gguf.parent, gguf_file=gguf.name, quantization_config=unpacked, dtype=dtype)
    except Exception as error:  # as in _load_pretrained
        raise ModelError(
            f"{gguf} cannot be read by transformers {transformers_version} ({said(error)}): if a package is missing "
            "run pip install '.[worker]', otherwise set COPYDESK_MODEL to a checkpoint folder of this model"
        ) from error
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    mode = (folder / "config.json").stat().st_mode
    for weights in folder.glob("*.safetensors"):  # written readable by their owner alone, whatever the umask
        weights.chmod(mode)


def is_out_of_memory(error: Exception) -> bool:
    """CUDA has an exception of its own for it; the CPU allocator raises a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    message = str(error).lower()
    return any(phrase in message for phrase in ("out of memory", "not enough memory", "can't allocate memory"))
