"""How many products of a catalog get a text that may be published, and what that costs: the real model, seeded.

    .venv/bin/python benchmarks/ready.py CATALOG.. [--seeds 1,2,3] [--candidates N] [--max-asks N] [--name-reasons HOW]
        [--temperature T] [--top-p P] [--texts FILE]

What is not named is as in the settings. Each catalog is imported into a database of its own, planned, and written chunk
by chunk by `copywriting.write_chunk`, as a worker does, with one engine for all; no broker. Every ready text is read
by tests/independent.py, which knows nothing of the guards: `unsupported` counts those with a number, unit, material or
certificate that the facts do not hold. `likeness` is the share of ready texts nearly the same as an earlier one's,
`coverage` the mean share of facts said. Held texts are printed with their reasons; `--texts` writes everything down.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import workload

from copydesk import prompts
from copydesk.engine.base import Deliver, Engine, Request
from copydesk.engine.open import open_engine
from copydesk.guards.explain import coverage
from copydesk.jobs import copywriting
from copydesk.model import Status
from copydesk.settings import Sampling, Settings
from copydesk.store import Database, drafts, runs
from copydesk.store.drafts import Draft
from copydesk.variety import near_duplicates
from producer import importing

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from independent import unsupported

SHOP = "measured"


class Seeded:
    """The engine, with draws of its own for each product: those of a shop that sets no seed are independent too."""

    def __init__(self, engine: Engine) -> None:
        self.model = engine.model
        self.cancel, self.stats, self.drain, self.close = engine.cancel, engine.stats, engine.drain, engine.close
        self._engine = engine

    def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
        self._engine.submit([self._own(request) for request in requests], deliver)

    @staticmethod
    def _own(request: Request) -> Request:
        draft = int(request.id.rpartition(".")[2])  # drafts are numbered alike in every fresh database
        seed = (request.sampling.seed or 0) * 1_000 + draft
        return replace(request, sampling=request.sampling.model_copy(update={"seed": seed}))


def written(engine: Engine, settings: Settings, catalog: Path, folder: Path) -> tuple[list[Draft], float]:
    """Every draft of a catalog written anew, and how long that took from the first claim."""
    database = Database(f"sqlite:///{folder / 'ready.db'}")
    try:
        database.migrate()
        importing.take_in(database, SHOP, catalog, "auto", folder / "report.csv")
        run = copywriting.plan(database, settings, SHOP, "measured").run
        with database.read() as connection:
            chunks = range(runs.find(connection, run).queued // settings.chunk_size + 1)
        began = time.perf_counter()
        with ThreadPoolExecutor(settings.chunks_in_flight) as pool:
            while not _is_over(database, run):  # near-duplicates wait to be written again
                list(pool.map(lambda chunk: _write(database, settings, engine, run, chunk), chunks))
        seconds = time.perf_counter() - began
        with database.read() as connection:
            return drafts.listed(connection, run=run), seconds
    finally:
        database.close()


def _is_over(database: Database, run: int) -> bool:
    with database.read() as connection:
        return runs.find(connection, run).finished_at is not None


def _write(database: Database, settings: Settings, engine: Engine, run: int, chunk: int) -> None:
    copywriting.write_chunk(database, settings, engine, run, chunk, lambda _: None)


def figures(found: Sequence[Draft], seconds: float) -> dict[str, Any]:
    """One catalog, one seed."""
    ready = [draft for draft in found if draft.state is Status.READY]
    alike = near_duplicates((draft.id, draft.text) for draft in ready)
    return {
        "products": len(found),
        "ready": len(ready),
        "ready %": 100 * len(ready) / len(found),
        "held": sum(draft.state is Status.HELD for draft in found),
        "unsupported": sum(bool(unsupported(draft.facts.as_json(), draft.text)) for draft in ready),
        "likeness %": 100 * len(alike) / max(len(ready), 1),
        "coverage": fmean([coverage(draft.text, draft.facts, omit=_omitted(draft)) for draft in ready] or [0.0]),
        "asks": sum(draft.asks for draft in found) / len(found),
        "tokens in": sum(draft.prompt_tokens for draft in found) / len(found),
        "tokens out": sum(draft.completion_tokens for draft in found) / len(found),
        "seconds": seconds,
    }


def _omitted(draft: Draft) -> Sequence[str]:
    """Facts that the prompt leaves out."""
    return prompts.load(draft.kind, draft.language).omit


def show_held(found: Sequence[Draft]) -> None:
    """What a merchandiser would read, and what the second reader objects to."""
    for draft in found:
        if draft.state is not Status.READY:
            print(f"{draft.state} {draft.sku}: {draft.text}")
            print(*[f"    {one.code}: {one.message}" for one in draft.reasons if not one.warns], sep="\n")
        elif spans := unsupported(draft.facts.as_json(), draft.text):
            print(f"unsupported in {draft.sku}: {spans}: {draft.text}")


def settings_of(asked: argparse.Namespace, seed: int) -> Settings:
    own = {"candidates": asked.candidates, "max_asks": asked.max_asks, "name_reasons": asked.name_reasons}
    settings = Settings(**{name: value for name, value in own.items() if value is not None})
    drawn = {"seed": 100 * seed, "temperature": asked.temperature, "top_p": asked.top_p}
    sampling = settings.sampling.model_copy(update={name: one for name, one in drawn.items() if one is not None})
    return settings.model_copy(update={"sampling": Sampling.model_validate(sampling.model_dump())})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogs", nargs="+", type=Path)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[1, 2, 3])
    parser.add_argument("--candidates", type=int)
    parser.add_argument("--max-asks", type=int)
    parser.add_argument("--name-reasons", choices=("never", "alternate", "always"))
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--texts", type=Path)
    asked = parser.parse_args()
    rows, texts = [], []
    settings = settings_of(asked, 0)
    engine = Seeded(open_engine(settings))
    try:
        for catalog in asked.catalogs:
            for seed in asked.seeds:
                with tempfile.TemporaryDirectory() as folder:
                    found, seconds = written(engine, settings_of(asked, seed), catalog, Path(folder))
                rows.append({"catalog": catalog.stem, "seed": seed, **figures(found, seconds)})
                texts += [{"catalog": catalog.stem, "seed": seed, **_kept(draft)} for draft in found]
                show_held(found)
    finally:
        engine.close()
    if asked.texts:
        asked.texts.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in texts), "utf-8")
    how = {name: getattr(settings, name) for name in ("candidates", "max_asks", "name_reasons")}
    workload.report("ready", rows, **how, sampling=settings.sampling.model_dump(exclude_none=True))


def _kept(draft: Draft) -> dict[str, Any]:
    reasons = [
        {"code": one.code, "message": one.message, "span": one.span, "warns": one.warns} for one in draft.reasons
    ]
    facts = draft.facts.as_json()
    return {
        "sku": draft.sku,
        "state": draft.state,
        "text": draft.text,
        "reasons": reasons,
        "asks": draft.asks,
        "facts": facts,
    }


if __name__ == "__main__":
    main()
