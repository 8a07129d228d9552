"""Which backend is best on this machine, decided without importing any of them."""

import ctypes
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from copydesk.engine.models import resolve
from copydesk.settings import Settings

EXTRAS = {"transformers": "worker", "openvino": "openvino", "vllm": "vllm"}
"""The extra of the package that brings each backend."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend to try, and why."""

    backend: str
    why: str


def choices(settings: Settings) -> list[Choice]:
    """The backends that can run the model here, best first; one, where the settings name it. Raises ModelError."""
    if settings.engine != "auto":
        return [Choice(settings.engine, "COPYDESK_ENGINE names it")]
    source = resolve(settings.model, settings.models)
    if settings.device not in ("auto", "cpu") or (settings.device == "auto" and cuda_devices()):
        fallback = Choice("transformers", "a GPU is there, and vllm is not installed")
        return [Choice("vllm", "a GPU is there, and vllm is installed"), fallback] if _installed("vllm") else [fallback]
    if not _installed("openvino_genai"):
        return [Choice("transformers", "no GPU, and openvino-genai is not installed (pip install '.[openvino]')")]
    if why_not := not_for_openvino(source):
        return [Choice("transformers", f"no GPU, and {why_not}")]
    return [
        Choice("openvino", "no GPU, and openvino-genai is installed"),
        Choice("transformers", "openvino cannot read the model"),
    ]


def cuda_devices() -> int:
    """How many CUDA devices the driver has, asked without importing torch."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def not_for_openvino(source: Path | str) -> str:
    """Why openvino cannot read a model; empty if it may."""
    if isinstance(source, str):
        return f"openvino reads files, and {source} is a Hugging Face id"
    if source.is_dir() and not (source / "openvino_model.xml").is_file():
        return f"{source} is not an OpenVINO export (docs/operations.md tells how to make one)"
    return ""
