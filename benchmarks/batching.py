"""What batching is worth: the same requests through the same engine, one at a time and in batches.

    .venv/bin/python benchmarks/batching.py [--items 12] [--batch-sizes 4,12] [--seed 1]

Uses the model in the settings and the project's own example catalog. Run it on an idle machine.
"""

import argparse
import json
import platform
import time
from importlib.resources import as_file, files
from queue import SimpleQueue

from copydesk import prompts
from copydesk import settings as copydesk_settings
from copydesk.engine.base import Completion, Engine, Message, Request
from copydesk.engine.open import open_engine
from copydesk.model import DESCRIPTION, Product
from copydesk.settings import Sampling
from producer import catalog


def requests(items: int, seed: int) -> list[Request]:
    """The first `items` products of the example catalog, over and over if need be, as prompts."""
    with as_file(files("producer") / "examples" / "catalog-shopify.csv") as file:
        products = [item for item in catalog.read(file) if isinstance(item, Product)]
    sampling = Sampling(max_tokens=48, temperature=0.7, top_p=0.9, seed=seed)
    made = []
    for number in range(items):
        prompt = prompts.render(DESCRIPTION, products[number % len(products)].facts)
        turns = tuple(Message(role, content) for role, content in prompt.turns)
        made.append(Request(str(number), turns, prompt.plain, sampling))
    return made


def timed(engine: Engine, groups: list[list[Request]]) -> dict[str, float]:
    """Submit each group once the one before it is answered; items and tokens per second."""
    began, tokens, items = time.perf_counter(), 0, 0
    for group in groups:
        inbox: SimpleQueue[Completion] = SimpleQueue()
        engine.submit(group, inbox.put)
        done = [inbox.get() for _ in group]
        tokens += sum(completion.completion_tokens for completion in done)
        items += len(done)
    seconds = time.perf_counter() - began
    return {"items_per_s": round(items / seconds, 2), "tokens_per_s": round(tokens / seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=12)
    parser.add_argument("--batch-sizes", default="4,12")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    settings = copydesk_settings.load()
    work = requests(arguments.items, arguments.seed)
    figures: dict[str, dict[str, float]] = {}
    for size in [1, *map(int, arguments.batch_sizes.split(","))]:
        engine = open_engine(settings.model_copy(update={"batch_size": size}))
        timed(engine, [work[:size]])  # warm-up
        groups = [[request] for request in work] if size == 1 else [work]
        figures[f"batch {size}"] = timed(engine, groups)
        engine.close()
    base = figures["batch 1"]["items_per_s"]
    print(f"{'':>10} {'items/s':>8} {'tokens/s':>9} {'ratio':>6}")
    for name, row in figures.items():
        print(f"{name:>10} {row['items_per_s']:8.2f} {row['tokens_per_s']:9.1f} {row['items_per_s'] / base:6.2f}")
    print(json.dumps({"benchmark": "batching", "model": settings.model, "machine": platform.machine(), **figures}))


if __name__ == "__main__":
    main()
