"""What a large catalog costs: taken in, taken in again, taken in with one product in twenty edited, and exported.

    .venv/bin/python benchmarks/scale.py [--items 10000,100000,1000000] [--databases sqlite,postgresql]
                                         [--formats jsonl,shopify] [--seed 1]

Each step is the command itself in a process of its own: seconds count its start, and its peak memory is what the kernel
says of it. Shopify's files have two rows for each product; items are products. PostgreSQL with its defaults, fsync
included, and SQLite are on the same disk and cores.
"""

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import workload
from installation import SHOP, databases

from copydesk.store import Database
from copydesk.store.tables import live_texts

EDITED = 20  # one product in so many
OPENINGS = ["Made for", "Ready for", "A good choice for", "Built to last in", "Small enough for", "At home in"]
PLACES = ["busy kitchens", "long journeys", "cold mornings", "small flats", "every garden", "the office", "rainy days"]
HEADER = ["Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Option1 Name", "Option1 Value", "Variant Price"]

COPYDESK = """
import atexit, sys
from pathlib import Path
from producer.cli import main
atexit.register(lambda: sys.stderr.write(Path("/proc/self/status").read_text()))
main()
"""
"""The console script, which says at its end how it stood in memory."""

Product = dict[str, Any]
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default="10000,100000,1000000")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--formats", default="jsonl,shopify")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for items in map(int, arguments.items.split(",")):
        for file_format in arguments.formats.split(","):
            with tempfile.TemporaryDirectory(prefix="copydesk-scale-") as name:
                folder = Path(name)
                write_catalogs(folder, file_format, items, arguments.seed)
                with databases(folder, arguments.databases.split(",")) as urls:
                    for kind, url in urls.items():
                        for row in steps(folder, url, file_format):
                            rows.append({"database": kind, "format": file_format, "items": items, **rated(row, items)})
                            print(json.dumps(rows[-1]), flush=True)
    workload.report("scale", rows, seed=arguments.seed)


def steps(folder: Path, url: str, file_format: str) -> Iterator[Row]:
    """One row for each thing that is done to a shop, in this order."""
    environment = {"COPYDESK_DATABASE_URL": url, "COPYDESK_DATA_DIR": str(folder)}
    copydesk(environment, "migrate")
    for step, file in (("first", "catalog"), ("again", "catalog"), ("changed", "edited")):
        yield {"step": step, **copydesk(environment, "import", "products", str(folder / file), "--shop", SHOP)}
    publish_everything(url)
    written = str(folder / "written")
    yield {
        "step": "export",
        **copydesk(environment, "export", "products", written, "--shop", SHOP, "--format", file_format),
    }


def copydesk(environment: dict[str, str], *arguments: str) -> Row:
    """Run one command; seconds, and the peak of its resident memory in MB."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", COPYDESK, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"copydesk {' '.join(arguments)}: {done.stdout}{done.stderr}")
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
    return {"seconds": seconds, "peak MB": int(peak[1]) / 1000 if peak else 0.0}


def rated(row: Row, items: int) -> Row:
    return {**row, "items/s": items / row["seconds"]}


def publish_everything(url: str) -> None:
    """Every product gets a text of ours, as publishing leaves it behind, so that there is something to export."""
    database = Database(url)
    names = [column.name for column in live_texts.columns if column.name != "id"]
    ours = {
        "version": live_texts.c.version + 1,
        "undo_to": live_texts.c.version,
        "current": sa.false(),
        "origin": sa.literal("draft"),
    }
    query = sa.select(*[ours.get(name, live_texts.c[name]).label(name) for name in names])
    with database.write() as connection:
        connection.execute(sa.insert(live_texts).from_select(names, query.where(live_texts.c.current.is_(True))))
        connection.execute(sa.update(live_texts).where(live_texts.c.current.is_(True)).values(current=False))
        connection.execute(sa.update(live_texts).where(live_texts.c.origin == "draft").values(current=True))
    database.close()


# The catalog ----------------------------------------------------------------------------------------------------------


def write_catalogs(folder: Path, file_format: str, items: int, seed: int) -> None:
    """`catalog` with so many products, and `edited`, where one in EDITED has another colour and another text."""
    write: Callable[[Path, Iterator[Product]], None] = write_jsonl if file_format == "jsonl" else write_shopify
    write(folder / "catalog", products(items, seed))
    write(folder / "edited", map(edited, products(items, seed)))


def products(items: int, seed: int) -> Iterator[Product]:
    """Distinct products of some half a kilobyte, one at a time."""
    chosen = random.Random(seed)
    for number in range(items):
        words = chosen.sample(workload.WORDS, 6)
        title = f"{words[0]} {words[1]} {chosen.choice(workload.THINGS)}".title()
        attributes = {
            "Colour": words[2],
            "Material": f"{words[3]} and {words[4]}",
            "Weight (g)": chosen.randint(20, 9000),
            "Size": f"{chosen.randint(5, 90)} x {chosen.randint(5, 90)} cm",
            "Care": f"wipe with a {words[5]} cloth",
        }
        sentences = [f"{chosen.choice(OPENINGS)} {chosen.choice(PLACES)}, {word} and {words[0]}." for word in words[1:]]
        yield {
            "number": number,
            "sku": f"{title.lower().replace(' ', '-')}-{number:07}",
            "title": title,
            "brand": f"{words[5].title()} & Sons",
            "category": "Home",
            "attributes": attributes,
            "description": " ".join(sentences),
        }


def edited(product: Product) -> Product:
    if product["number"] % EDITED:
        return product
    attributes = {**product["attributes"], "Colour": "petrol"}
    return {**product, "attributes": attributes, "description": f"{product['description']} Now in petrol."}


def write_jsonl(path: Path, made: Iterator[Product]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for product in made:
            stream.write(json.dumps({name: value for name, value in product.items() if name != "number"}) + "\n")


def write_shopify(path: Path, made: Iterator[Product]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        sheet = csv.writer(stream)
        sheet.writerow(HEADER)
        for product in made:
            attributes = product["attributes"]
            text, tags = f"<p>{product['description']}</p>", f"{attributes['Care']}, {attributes['Material']}"
            first = [product["sku"], product["title"], text, product["brand"], product["category"], tags]
            sheet.writerow([*first, "Colour", attributes["Colour"], attributes["Weight (g)"]])
            sheet.writerow([product["sku"], "", "", "", "", "", "", "white", attributes["Weight (g)"]])


if __name__ == "__main__":
    main()
