"""From settings to a running engine; the only place that knows which backends there are."""

import os

from copydesk.engine.base import Engine
from copydesk.engine.models import KNOWN, resolve
from copydesk.engine.scripted import ScriptedEngine
from copydesk.errors import ConfigurationError
from copydesk.settings import Settings


def open_engine(settings: Settings) -> Engine:
    """Load the model that the settings name and start its engine; the caller closes it.

    Raises:
        ConfigurationError: the backend is not installed, or the device does not exist.
        ModelError: the model cannot be found or loaded.
    """
    if settings.engine == "scripted":
        return ScriptedEngine()
    return _open_transformers(settings)


def _open_transformers(settings: Settings) -> Engine:
    source = resolve(settings.model, settings.models)  # before the seconds that importing torch takes
    # torch's OpenMP threads spin while they wait for each other, and on cores that other processes use too they mostly
    # wait: 3.3 tokens/s on two such cores, 18.5 when they sleep instead. OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from copydesk.engine.transformers import TransformersEngine
    except ImportError as error:
        raise ConfigurationError(
            f"the transformers engine is not installed ({error}): run pip install '.[worker]'"
        ) from error
    known = KNOWN.get(settings.model)
    return TransformersEngine(
        source,
        name=settings.model,
        device=settings.device,
        batch_size=settings.batch_size,
        own_sampling=known.sampling if known else None,
    )
