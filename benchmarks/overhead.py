"""What the system itself costs: the scripted engine answers at once, so what is left is claim, render, judge, write.

    .venv/bin/python benchmarks/overhead.py [--items 1000,10000,100000] [--chunk-size 256] [--seed 1]

One worker process on real Valkey, real databases; from the first ring to the finished run.
"""

import argparse
from typing import Any

import workload
from installation import databases, installation

WARM_UP = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default="1000,10000,100000")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--chunk-size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.items.split(",")]
    made = workload.products(max(sizes), arguments.seed)
    rows: list[dict[str, Any]] = []
    with installation() as installed, databases(installed.folder, arguments.databases.split(",")) as urls:
        for kind, url in urls.items():
            with installed.worker(url, engine="scripted", max_asks=1, chunk_size=arguments.chunk_size) as desk:
                desk.take_in(made)
                desk.timed(desk.plan(skus=[product.sku for product in made[:WARM_UP]]))
                for size in sizes:
                    run = desk.plan(skus=None if size == len(made) else [product.sku for product in made[:size]])
                    seconds = desk.timed(run, poll_seconds=0.02)
                    rows.append({"database": kind, "items": size, "seconds": seconds, "items/s": size / seconds})
                    print(f"{kind}, {size} items: {size / seconds:.0f} items/s", flush=True)
    for row in rows:
        first = next(other for other in rows if other["database"] == row["database"])
        row["cost to smallest"] = first["items/s"] / row["items/s"]
    workload.report("overhead", rows, seed=arguments.seed, chunk_size=arguments.chunk_size)


if __name__ == "__main__":
    main()
