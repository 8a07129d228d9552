"""What every recipe of a judged text holds. A recipe is stored with its run, so that a run is of one piece."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from copydesk.settings import Rules, Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the kinds of work whose texts are judged have in common."""

    engine: str
    model: str
    sampling: Sampling
    max_asks: int
    rules: Rules
    voice: str

    def as_json(self) -> dict[str, Any]:
        own = {"sampling": self.sampling.model_dump(), "rules": self.rules.model_dump()}
        return {one.name: own.get(one.name, getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "sampling": Sampling(**data["sampling"]), "rules": Rules(**data["rules"])})
