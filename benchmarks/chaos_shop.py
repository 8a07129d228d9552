"""The producer's side of chaos.py: shops that are described again and again and edited meanwhile, and poison."""

import json
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from copydesk.errors import StoreUnavailable
from copydesk.jobs import copywriting
from copydesk.model import Lane
from copydesk.settings import Settings
from copydesk.store import Database, drafts
from producer import importing

SHOPS = ("north", "south", "west")
POISONED = "poisoned"
PRODUCTS = 300
"""Of each shop."""

SLOW_ONE_IN = 8
"""So many products take the scripted engine a second; the others are answered at once."""

BACKLOG = 240
"""Drafts that wait; with fewer, another run is planned."""

EVERY_SECONDS = 0.3
COLOURS = ["blue", "green", "red", "black", "white", "grey", "brown", "orange", "purple", "pink"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A run, how many drafts its plan said, and the sku of the poison in it."""

    run: int
    queued: int
    poison: str = ""


@dataclass(slots=True)
class Shops:
    """A thread that plans and edits until it is stopped; a database that is away only makes it late."""

    database: Database
    settings: Settings
    chosen: random.Random
    folder: Path
    planned: list[Planned] = field(default_factory=list)
    edited: int = 0
    _edits: dict[str, int] = field(default_factory=dict)
    _latest: tuple[str, Sequence[str]] = ("", ())
    _poison: SimpleQueue[str] = field(default_factory=SimpleQueue)
    _runs: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def fill(self) -> None:
        for shop in SHOPS:
            self._take_in(shop, [f"{shop}-{number}" for number in range(PRODUCTS)])

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns once everything that was asked for is planned."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def plant(self, behaviour: str) -> None:
        """Have a run planned of one chunk, one item of which crashes or hangs whatever asks for it."""
        self._poison.put(behaviour)

    def _work(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self._plant_all()
            with suppress(StoreUnavailable):
                if self._open() < BACKLOG:
                    self._plan_some()
                self._edit_some()
        self._plant_all()

    def _open(self) -> int:
        with self.database.read() as connection:
            return drafts.open_ones(connection)

    def _plan_some(self) -> None:
        shop = self.chosen.choice(SHOPS)
        skus = sorted(self.chosen.sample([f"{shop}-{number}" for number in range(PRODUCTS)], 80))
        self._latest = (shop, skus)
        self._plan(shop, skus, Lane.REPLIES if self.chosen.random() < 0.2 else Lane.CATALOG)

    def _plan(self, shop: str, skus: Sequence[str], lane: Lane, poison: str = "") -> None:
        """With the same key until an answer comes: a plan whose answer was lost is not made twice."""
        self._runs += 1
        wanted = copywriting.Wanted(everything=True, skus=skus, lane=lane)
        key = f"chaos {self._runs}"
        made = self._until_it_works(lambda: copywriting.plan(self.database, self.settings, shop, key, wanted))
        self.planned.append(Planned(made.run, made.queued, poison))
        self._ring()

    def _ring(self) -> None:
        from tasks import bells

        with suppress(StoreUnavailable, bells.BrokerAway):  # the sweep rings
            bells.ring(self.database, self.settings.max_chunks_in_broker)

    def _edit_some(self) -> None:
        shop, skus = self._latest
        some = self.chosen.sample(skus, 4) if skus else []
        for sku in some:
            self._edits[sku] = self._edits.get(sku, 0) + 1
        self._take_in(shop, some)
        self.edited += len(some)

    def _plant_all(self) -> None:
        with suppress(Empty):
            while True:
                self._plant(self._poison.get_nowait())

    def _plant(self, behaviour: str) -> None:
        name = f"{behaviour}{self._runs}"
        skus = [f"{name}-{number}" for number in range(self.settings.chunk_size)]
        poison = self.chosen.choice(skus)
        self._until_it_works(lambda: self._take_in(POISONED, skus, {poison: behaviour}))
        self._plan(POISONED, skus, Lane.CATALOG, poison)

    def _until_it_works(self, action: Callable[[], Any]) -> Any:
        while True:
            try:
                return action()
            except StoreUnavailable:
                self._stop.wait(EVERY_SECONDS)

    def _take_in(self, shop: str, skus: Sequence[str], marked: dict[str, str] | None = None) -> None:
        if skus:
            file = self.folder / f"{shop}.jsonl"
            lines = [json.dumps(self._product(sku, (marked or {}).get(sku, ""))) for sku in skus]
            file.write_text("\n".join(lines) + "\n", "utf-8")
            importing.take_in(self.database, shop, file, "jsonl", self.folder / f"{shop}-report.csv")

    def _product(self, sku: str, marker: str) -> dict[str, Any]:
        number = int(sku.rpartition("-")[2])
        marker = marker or ("slow" if number % SLOW_ONE_IN == 0 else "")
        colour = COLOURS[(number + self._edits.get(sku, 0)) % len(COLOURS)]
        attributes = {"Colour": colour, "Material": "oak", **({"Note": f"[[scripted:{marker}]]"} if marker else {})}
        title = f"Plain Stool {_letters(sku)}"
        return {"sku": sku, "title": title, "attributes": attributes, "description": f"About {sku}.", "locale": "en"}


def _letters(sku: str) -> str:
    """A name of its own for each product, or their texts would be near-duplicates; without a number to get wrong."""
    return "".join("abcdefghij"[int(one)] if one.isdecimal() else "x" for one in sku if not one.isalpha())
