"""The seeded work that the benchmarks share, and how their figures are printed."""

import json
import os
import platform
import random
import time
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

from copydesk.engine.base import Completion, Engine, Message, Request
from copydesk.model import Dialect, Facts, Lane, Product, TextFormat
from copydesk.settings import Sampling

INSTRUCTIONS = (
    "You write product descriptions for a web shop. Use only the facts that you are given. Do not invent numbers, "
    "materials or features. Write two or three plain sentences, without a heading and without a list."
)

THINGS = ["Lamp", "Kettle", "Shirt", "Shoe", "Table", "Mug", "Bag", "Ring", "Watch", "Soap", "Rope", "Chair", "Bowl"]
WORDS = [
    "red", "blue", "green", "plain", "round", "square", "oak", "steel", "cotton", "wool", "glass", "leather", "linen",
    "light", "small", "large", "soft", "folding", "matt", "washable", "striped", "woven", "brushed", "narrow", "deep",
]  # fmt: skip


def prompts(
    count: int, seed: int, *, max_tokens: tuple[int, int] = (20, 100), lane: Lane = Lane.CATALOG
) -> list[Request]:
    """Distinct chat prompts of about 138 tokens, 65 of them shared; greedy, limits of 20 to 100 new ones."""
    chosen = random.Random(seed)
    made = []
    for number in range(count):
        facts = "\n".join(f"- {word.title()}: {_value(chosen)}" for word in chosen.sample(WORDS, 8))
        turns = (Message("system", INSTRUCTIONS), Message("user", f"Facts about product {number}:\n{facts}"))
        sampling = Sampling(max_tokens=chosen.randint(*max_tokens), temperature=0)
        made.append(Request(str(number), turns, "", sampling, lane=lane))
    return made


def products(count: int, seed: int) -> list[Product]:
    """Distinct products of a made-up shop, as an import would bring them."""
    chosen = random.Random(seed)
    made = []
    for number in range(count):
        attributes = {word.title(): _value(chosen) for word in chosen.sample(WORDS, 4)}
        title = f"{chosen.choice(WORDS).title()} {chosen.choice(THINGS)}"
        facts = Facts(title, attributes=tuple(attributes.items()))
        made.append(Product(f"sku-{number:07}", facts, "", TextFormat.PLAIN, Dialect.JSONL))
    return made


def _value(chosen: random.Random) -> str:
    return f"{chosen.choice(WORDS)} {chosen.choice(WORDS)}"


def answered(engine: Engine, requests: Sequence[Request]) -> tuple[list[Completion], float]:
    """Submit everything at once; the completions, and seconds until the last."""
    inbox: SimpleQueue[Completion] = SimpleQueue()
    began = time.perf_counter()
    engine.submit(requests, inbox.put)
    completions = [inbox.get() for request in requests for _ in range(request.candidates)]
    return completions, time.perf_counter() - began


def machine() -> str:
    """What the figures were taken on, without its name."""
    return f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}"


def table(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows of the same keys as a table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [[_shown(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[place]) for line in shown)) for place, name in enumerate(names)]
    for line in [names, *shown]:
        print(
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
        )


def _shown(value: Any) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and value < 10
        else f"{value:.1f}"
        if isinstance(value, float)
        else str(value)
    )


def report(benchmark: str, rows: Sequence[dict[str, Any]], **also: Any) -> None:
    """The table, and everything once more as one line of JSON."""
    table(rows)
    rounded = [{name: round(v, 4) if isinstance(v, float) else v for name, v in row.items()} for row in rows]
    also = {name: round(v, 4) if isinstance(v, float) else v for name, v in also.items()}
    print(json.dumps({"benchmark": benchmark, "machine": machine(), **also, "rows": rounded}))
