"""Other kinds of copy than descriptions, by real commands and a real worker: written, published, handed out."""

import csv
import json
from pathlib import Path
from typing import Any

from services.conftest import OpenDesk
from services.desks import Desk

SKUS = ["stool-one", "stool-two", "stool-three"]
LIVE = "SELECT kind, sku, text FROM live_texts JOIN products ON products.id = product_id WHERE current ORDER BY 1, 2"
OWN = """
version = 1
system = "You write care tips."
template = "Facts:\\n$facts\\n$voice\\nWrite the care tip."
plain = "Facts:\\n$facts\\nCare tip:"
voice = "Write in this voice: $voice"
echoes = []
"""


def write(desk: Desk, kind: str, *more: str) -> dict[str, Any]:
    """A run of a kind to its end, approved and published."""
    planned: dict[str, Any] = desk.json("write", "--kind", kind, "--shop", "acme", "--wait", *more)
    assert (planned["state"], planned["held"], planned["failed"]) == ("finished", 0, 0)
    if planned["ready"]:
        desk.copydesk("drafts", "approve", "--run", planned["run"])
        desk.copydesk("publish", "--shop", "acme", "--run", planned["run"])
    return planned


def rows_of(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_bullets_titles_and_a_kind_of_the_shops_own_are_written_published_and_handed_out(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.start_broker()
    worker = desk.start_worker()  # knows nothing of the folder that follows
    desk.import_products(SKUS)
    prompts = desk.folder / "prompts"
    prompts.mkdir()
    (prompts / "care_tips.en.toml").write_text(OWN, "utf-8")
    desk.set(prompts_dir=prompts)

    for kind in ("bullets", "seo_title", "care_tips"):
        assert write(desk, kind)["ready"] == len(SKUS)

    live = desk.query(LIVE)
    assert [(kind, sku) for kind, sku, _ in live] == [
        (kind, sku) for kind in ("bullets", "care_tips", "description", "seo_title") for sku in sorted(SKUS)
    ]
    assert {text for kind, _, text in live if kind == "description"} == {f"The old text of {sku}." for sku in SKUS}
    assert all(text.count("\n- ") == 3 for kind, _, text in live if kind == "bullets")
    assert worker.output.count("describe_chunk[") >= 3
    assert write(desk, "bullets")["skipped"] == {"unchanged": len(SKUS)}

    desk.copydesk("export", "products", "seo.csv", "--shop", "acme", "--format", "shopify", "--kind", "seo_title")
    header, *rows = rows_of(desk.folder / "seo.csv")
    assert header == ["Handle", "Title", "SEO Title"]
    assert sorted(row[0] for row in rows) == sorted(SKUS)
    assert desk.json("export", "products", "all.csv", "--shop", "acme", "--format", "shopify")["apart"] == {
        "seo_title": len(SKUS)
    }
    desk.copydesk("export", "products", "b.jsonl", "--shop", "acme", "--format", "jsonl", "--kind", "bullets")
    records = [json.loads(line) for line in (desk.folder / "b.jsonl").read_text("utf-8").splitlines()]
    assert {record["kind"] for record in records} == {"bullets"}

    desk.copydesk("undo", "stool-one", "--shop", "acme", "--kind", "seo_title")
    assert ("seo_title", "stool-one", "") in [tuple(row) for row in desk.query(LIVE)]
    listed = {row["kind"] for row in desk.json("kinds")}
    assert {"care_tips", "bullets", "translation"} <= listed
