"""From settings to a running engine; the only place that knows every backend."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from copydesk.engine.backend import Backend
from copydesk.engine.choosing import EXTRAS, choices, not_for_openvino
from copydesk.engine.hosted import ChildProcess, HostedEngine
from copydesk.engine.models import KNOWN, resolve
from copydesk.engine.scripted import ScriptedBackend
from copydesk.errors import ConfigurationError, CopydeskError, ModelError
from copydesk.settings import OPENAI_KEY, Sampling, Settings

log = logging.getLogger(__name__)


def open_engine(settings: Settings, on_broken: Callable[[str], None] = lambda _why: None) -> HostedEngine:
    """Load the model that the settings name, in a process of its own; the caller closes it.

    `on_broken` is told when the engine died and could not be started again.

    Raises:
        ConfigurationError: the backend is not installed, or the device does not exist.
        ModelError: the model cannot be found or loaded.
    """
    return HostedEngine(lambda: ChildProcess(settings), hang_seconds=settings.engine_hang_seconds, on_broken=on_broken)


def open_classifier(settings: Settings, on_broken: Callable[[str], None] = lambda _why: None) -> HostedEngine:
    """The same for the classifier that `settings.sentiment` names; its completions are the JSON of three chances."""
    return HostedEngine(
        lambda: ChildProcess(settings, opens="classifier"),
        hang_seconds=settings.engine_hang_seconds,
        on_broken=on_broken,
    )


def open_classifier_backend(settings: Settings) -> Backend:
    """In the classifier's process: load it. Raises as open_engine does."""
    try:
        from copydesk.engine.classifier import open_classifier
    except ImportError as error:
        raise _missing("transformers", error) from error
    return open_classifier(settings)


def open_backend(settings: Settings) -> Backend:
    """In the engine's process: load the model with the first choice that can. Raises as open_engine does."""
    first, *others = choices(settings)
    failed: CopydeskError | None = None
    for choice in [first, *others]:
        try:
            backend = _OPENERS[choice.backend](settings)
        except CopydeskError as error:
            log.warning("%s cannot be used: %s", choice.backend, error)
            failed = failed or error
        else:
            log.info("%s runs %s (%s)", choice.backend, backend.model, choice.why)
            return backend
    if failed is None:  # there is always a first choice
        raise ModelError("no backend was tried")
    raise failed


def _missing(backend: str, error: ImportError) -> ConfigurationError:
    return ConfigurationError(
        f"the {backend} engine is not installed ({error}): run pip install '.[{EXTRAS[backend]}]'"
    )


def _own_sampling(settings: Settings) -> Sampling | None:
    """How a known model is sampled by default: a GGUF does not say it."""
    known = KNOWN.get(settings.model)
    return known.sampling if known else None


def _open_transformers(settings: Settings) -> Backend:
    source = resolve(settings.model, settings.models)  # before the seconds that importing torch takes
    # torch's OpenMP threads spin while they wait for each other, and on cores that other processes use too they mostly
    # wait: 3.3 tokens/s on two such cores, 18.5 when they sleep instead. OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from copydesk.engine.transformers import open_transformers
    except ImportError as error:
        raise _missing("transformers", error) from error
    return open_transformers(
        source,
        name=settings.model,
        device=settings.device,
        width=settings.batch_size,
        own_sampling=_own_sampling(settings),
    )


def _open_openvino(settings: Settings) -> Backend:
    source = resolve(settings.model, settings.models)
    if why_not := not_for_openvino(source):
        raise ModelError(f"{why_not}: set COPYDESK_ENGINE to transformers or COPYDESK_MODEL to another model")
    if settings.device not in ("auto", "cpu"):
        raise ConfigurationError(
            f"the openvino engine runs on the CPU, and COPYDESK_DEVICE is {settings.device}: unset it, or set "
            "COPYDESK_ENGINE to transformers or vllm"
        )
    try:
        from copydesk.engine.openvino import OpenVinoBackend
    except ImportError as error:
        raise _missing("openvino", error) from error
    return OpenVinoBackend(
        Path(source),
        name=settings.model,
        width=settings.batch_size,
        cache_gb=settings.kv_cache_gb,
        own_sampling=_own_sampling(settings),
    )


def _open_vllm(settings: Settings) -> Backend:
    source = resolve(settings.model, settings.models)
    try:
        from copydesk.engine.vllm import VllmBackend
    except ImportError as error:
        raise _missing("vllm", error) from error
    return VllmBackend(
        source,
        name=settings.model,
        device=settings.device,
        width=settings.batch_size,
        cache_gb=settings.kv_cache_gb,
        own_sampling=_own_sampling(settings),
    )


def _open_openai(settings: Settings) -> Backend:
    from copydesk.engine.openai import OpenAIBackend

    endpoint = settings.openai
    return OpenAIBackend(
        base_url=endpoint.base_url,
        model=settings.model,
        api_key=os.environ.get(OPENAI_KEY, ""),
        concurrency=settings.batch_size or endpoint.concurrency,
        requests_per_minute=endpoint.requests_per_minute,
        tokens_per_minute=endpoint.tokens_per_minute,
        timeout_seconds=endpoint.timeout_seconds,
    )


def _open_scripted(settings: Settings) -> Backend:
    return ScriptedBackend(width=settings.batch_size or 64)


_OPENERS: dict[str, Callable[[Settings], Backend]] = {
    "transformers": _open_transformers,
    "openvino": _open_openvino,
    "vllm": _open_vllm,
    "openai": _open_openai,
    "scripted": _open_scripted,
}
