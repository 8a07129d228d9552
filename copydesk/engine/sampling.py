"""What a request's sampling comes to, once the model's own settings have filled what it leaves open."""

from dataclasses import dataclass
from typing import TypeVar

from copydesk.settings import Sampling

Number = TypeVar("Number", int, float)

CANDIDATES_TEMPERATURE = 0.8
"""Temperature for several candidates where neither the settings nor the model name one."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Every value decided; a temperature of 0 is greedy, a top_k of 0 no limit."""

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float


def resolved(asked: Sampling, own: Sampling, candidates: int) -> Resolved:
    """The request's value, else the model's own, else none. Several candidates always sample."""
    temperature = own.temperature if asked.temperature is None else asked.temperature
    if candidates > 1 and not temperature:
        temperature = own.temperature or CANDIDATES_TEMPERATURE
    return Resolved(
        temperature=temperature or 0.0,
        top_p=_first(asked.top_p, own.top_p, 1.0),
        top_k=_first(asked.top_k, own.top_k, 0),
        repetition_penalty=_first(asked.repetition_penalty, own.repetition_penalty, 1.0),
    )


def _first(asked: Number | None, own: Number | None, otherwise: Number) -> Number:
    return asked if asked is not None else own if own is not None else otherwise
