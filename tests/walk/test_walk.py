"""One shop's file through everything, by the commands that a person types, with a real broker and a real worker."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import SHARED
from services.conftest import OpenDesk
from services.desks import Desk, desk_in

from copydesk.settings import Settings
from producer.cli import main

EXAMPLES = Path(__file__).parents[2] / "producer" / "examples"
LISTED = {
    "id", "run", "shop", "sku", "kind", "language", "state", "text", "reasons", "attempt", "model", "prompt",
    "first_approved_by",
}  # fmt: skip
CURRENT = "SELECT sku, text FROM live_texts JOIN products ON products.id = product_id WHERE current ORDER BY sku"


def live_texts(desk: Desk) -> dict[str, str]:
    return dict(desk.query(CURRENT))


def rows_of(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def everything(desk: Desk) -> list[Any]:
    """What an import may change, whole."""
    products = desk.query("SELECT sku, facts, facts_hash, source, text_format, dialect, updated_at FROM products")
    return [products, desk.query("SELECT * FROM live_texts"), desk.query("SELECT id, state FROM drafts")]


def import_file(desk: Desk, file: Path, shop: str, status: int = 0, **expected: object) -> dict[str, Any]:
    taken: dict[str, Any] = desk.json("import", "products", file, "--shop", shop, status=status)
    assert {name: taken[name] for name in expected} == expected
    return taken


def describe(desk: Desk, shop: str, queued: int) -> dict[str, Any]:
    planned: dict[str, Any] = desk.json("describe", "--shop", shop, "--wait")
    assert planned["queued"] == queued
    assert planned["state"] == "finished"
    assert sum(planned[name] for name in ("ready", "held", "failed", "stale")) == queued
    assert planned["failed"] == 0
    return planned


def walk_on(desk: Desk, shop: str, products: int) -> None:
    """From the description to the undo."""
    original = live_texts(desk)
    assert len(original) == products
    planned = describe(desk, shop, products)
    assert planned["ready"] >= 0.6 * products, planned
    run = planned["run"]

    told = desk.json("status", run)
    assert (told["shop"], told["state"], told["queued"]) == (shop, "finished", products)
    assert [one["id"] for one in desk.json("status")] == [run]
    drafts = desk.json("drafts", "list", "--shop", shop)
    assert [set(draft) for draft in drafts] == [LISTED] * products
    assert {draft["sku"] for draft in drafts} == set(original)
    assert {draft["model"] for draft in drafts} == {"scripted"}
    ready = [draft for draft in drafts if draft["state"] == "ready"]

    edited, rejected, shown, *_ = ready
    assert desk.json("drafts", "show", shown["id"])["live"] == original[shown["sku"]]
    desk.copydesk("drafts", "edit", edited["id"], "--text", "Ann's own words.")
    desk.copydesk("drafts", "reject", rejected["id"])
    assert desk.copydesk("drafts", "approve", shown["id"]).stdout == "1 approved\n"
    assert live_texts(desk) == original, "nothing is live without `publish`"
    assert desk.copydesk("drafts", "approve", "--run", run).stdout == f"{len(ready) - 3} approved\n"
    assert desk.copydesk("publish", "--shop", shop).stdout == f"{len(ready) - 1} published\n"
    live = live_texts(desk)
    assert {sku for sku in live if live[sku] != original[sku]} == {draft["sku"] for draft in ready} - {rejected["sku"]}
    assert "Ann's own words." in live[edited["sku"]]
    assert describe(desk, shop, 0)["skipped"] == {"unchanged": products - 1, "text edited by a person": 1}

    export = desk.folder / "export.csv"
    assert desk.json("export", "products", export, "--shop", shop, "--format", "shopify")["written"] == len(ready) - 1
    header, *rows = rows_of(export)
    assert header == ["Handle", "Title", "Body (HTML)"]
    assert {row[0] for row in rows} == {draft["sku"] for draft in ready} - {rejected["sku"]}
    before = everything(desk)
    again = import_file(desk, export, shop, new=0, changed=0, unchanged=len(ready) - 1, errors=0, drafts_made_stale=0)
    assert again["report"] is None
    assert everything(desk) == before, "the shop's own export back in changes nothing"

    undone = shown["sku"]
    desk.copydesk("undo", undone, "--shop", shop)
    assert live_texts(desk)[undone] == original[undone], "byte for byte"
    assert desk.value("SELECT state FROM drafts WHERE id = ?", shown["id"]) == "undone"
    desk.copydesk("export", "products", export, "--shop", shop, "--format", "shopify")
    bodies = {row[0]: row[2] for row in rows_of(export)[1:]}
    assert bodies.get(undone, original[undone]) == original[undone]


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    opened = open_desk()
    opened.start_broker()
    opened.start_worker()
    return opened


def test_the_projects_example_shop_walks_from_its_file_to_an_export_and_back(desk: Desk) -> None:
    file = EXAMPLES / "catalog-shopify.csv"
    taken = import_file(desk, file, "fernhill", new=50, changed=0, errors=0, warnings=2)
    header, *report = rows_of(Path(taken["report"]))
    assert header == ["line", "sku", "level", "code", "message"]
    assert {row[3] for row in report} == set(taken["problems"])
    lines = file.read_text("utf-8").splitlines()
    for line, sku, level, *_ in report:
        assert level == "warning"
        assert lines[int(line) - 1].startswith(sku), "the report names the line on which the product stands"
    walk_on(desk, "fernhill", 50)


def test_a_real_shops_35_products_walk_from_their_file_to_an_export_and_back(desk: Desk) -> None:
    file = SHARED / "saleor_products_shopify.csv"
    if not file.is_file():
        pytest.skip(f"{file} is not here: it is no part of the project")
    import_file(desk, file, "saleor", new=35, changed=0, errors=0)
    original = live_texts(desk)
    run = describe(desk, "saleor", 35)["run"]
    desk.copydesk("drafts", "approve", "--run", run)
    desk.copydesk("publish", "--shop", "saleor")
    export = desk.folder / "export.csv"
    desk.copydesk("export", "products", export, "--shop", "saleor", "--format", "shopify")
    header, *rows = rows_of(export)
    assert header == ["Handle", "Title", "Body (HTML)"]
    titles = {row[0]: row[1] for row in rows_of(file)[1:] if row[1]}
    live = live_texts(desk)
    assert {row[0] for row in rows} == {sku for sku in live if live[sku] != original[sku]}
    assert all((row[1], row[2]) == (titles[row[0]], live[row[0]]) for row in rows)
    assert len(rows) >= 21
    before = everything(desk)
    import_file(desk, export, "saleor", new=0, changed=0, errors=0)
    assert everything(desk) == before, "importing it back changes nothing else"
    import_file(desk, file, "saleor", new=0, changed=0, unchanged=35)
    assert everything(desk) == before, "nor does the older file"


def test_a_chinese_shop_is_written_in_chinese_and_goes_back_as_json_lines(desk: Desk) -> None:
    file = EXAMPLES / "catalog-zh.jsonl"
    import_file(desk, file, "云栖", new=12, errors=0, report=None)
    original = live_texts(desk)
    planned = describe(desk, "云栖", 12)
    assert planned["ready"] >= 8, planned
    drafts = desk.json("drafts", "list", "--run", planned["run"])
    assert {(draft["language"], draft["prompt"].partition("@")[0]) for draft in drafts} == {("zh", "description/zh")}
    desk.copydesk("drafts", "approve", "--run", planned["run"])
    desk.copydesk("publish", "--shop", "云栖", "--run", planned["run"])

    export = desk.folder / "export.jsonl"
    desk.copydesk("export", "products", export, "--shop", "云栖", "--format", "jsonl")
    records = [json.loads(line) for line in export.read_text("utf-8").splitlines()]
    texts = {draft["sku"]: draft["text"] for draft in drafts if draft["state"] == "ready"}
    assert {record["sku"]: record["description"] for record in records} == texts
    before = everything(desk)
    import_file(desk, export, "云栖", new=0, changed=0, errors=0)
    assert everything(desk) == before
    desk.copydesk("undo", "yunqi-001")
    assert live_texts(desk)["yunqi-001"] == original["yunqi-001"]


def test_bad_rows_are_reported_by_line_and_the_good_ones_are_taken(open_desk: OpenDesk) -> None:
    desk = open_desk()
    file = desk.folder / "mixed.jsonl"
    good = {"title": "Oak Stool", "attributes": {"Colour": "blue"}}
    lines: Sequence[str] = [
        json.dumps({"sku": "one", **good}),
        "{ this is no JSON",
        json.dumps({"sku": "", **good}),
        json.dumps({"sku": "one", **good}),
        json.dumps({"sku": "two", "attributes": {"Colour": "red"}}),
        json.dumps({"sku": "three", **good, "description": "x" * (5 << 20)}),
        json.dumps({"sku": "four", **good}),
    ]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    report = desk.folder / "reports" / "bad.csv"
    done = desk.copydesk("import", "products", file, "--shop", "acme", "--report", report, status=1)
    assert "2 new, 0 changed, 0 unchanged products" in done.stdout
    assert f"5 rows refused, 0 warnings: {report}" in done.stdout
    found = {(int(line), level, code) for line, _, level, code, _ in rows_of(report)[1:]}
    assert found == {
        (2, "error", "json.invalid"), (3, "error", "sku.missing"), (4, "error", "sku.duplicate"),
        (5, "error", "title.missing"), (6, "error", "cell.too_large"),
    }  # fmt: skip
    assert {sku for (sku,) in desk.query("SELECT sku FROM products")} == {"one", "four"}


WRONG = {
    ("describe", "--shop", "nobody"): "there is no shop 'nobody' (shops: acme)",
    ("describe", "--shop", "acme", "--sku", "ghost"): "ghost",
    ("publish", "--shop", "nobody"): "there is no shop 'nobody'",
    ("export", "products", "out.csv", "--shop", "nobody", "--format", "jsonl"): "there is no shop 'nobody'",
    ("export", "products", "out.csv", "--shop", "acme", "--format", "xml"): "unknown format 'xml'",
    ("export", "products", "no/out.csv", "--shop", "acme", "--format", "jsonl"): "cannot be written",
    ("import", "products", "acme.jsonl", "--shop", "acme", "--format", "xml"): "unknown format 'xml'",
    ("import", "products", "gone.csv", "--shop", "new"): "does not exist: name a catalog file",
    ("import", "products", ".", "--shop", "new"): "is a folder: name a catalog file",
    ("import", "products", "picture.csv", "--shop", "new"): "picture.csv",
    ("drafts", "show", "99"): "there is no draft 99",
    ("drafts", "approve", "99"): "there is no draft 99",
    ("drafts", "reject", "99"): "there is no draft 99",
    ("drafts", "edit", "99", "--text", "words"): "there is no draft 99",
    ("drafts", "approve", "--run", "99"): "there is no run 99",
    ("status", "99"): "there is no run 99",
    ("watch", "99"): "there is no run 99",
    ("undo", "ghost"): "no shop has a product 'ghost'",
    ("undo", "stool"): "nothing to undo",
    ("publish", "--shop", "acme", "--run", "99"): "there is no run 99",
    ("drafts", "list", "--shop", "nobody"): "there is no shop 'nobody'",
    ("drafts", "list", "--run", "99"): "there is no run 99",
}
MISSPELLED: list[tuple[str, ...]] = [
    ("describe",),
    ("describe", "--shop", "acme", "--candidates", "99"),
    ("drafts", "approve"),
    ("drafts", "list", "--state", "lost"),
    ("bring", "coffee"),
]


@pytest.fixture
def shop_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A shop with one product, and this very process in its folder: thirty starts of Python take half a minute."""
    with desk_in(tmp_path / "desk") as desk:
        desk.migrate()
        desk.import_products(["stool"])
        (desk.folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
        for name, value in desk.env.items():
            if name.startswith("COPYDESK_"):
                monkeypatch.setenv(name, value)
        monkeypatch.chdir(desk.folder)
        yield desk
        assert not (desk.folder / "out.csv").exists()
        assert desk.query("SELECT name FROM shops") == [("acme",)], "a file that cannot be used makes no shop"
        assert desk.value("SELECT count(*) FROM runs") == 0


def status_of_main(*arguments: str) -> int:
    """The exit status of the console script's own function."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["copydesk", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_use_is_one_line_and_status_2(
    arguments: tuple[str, ...], shop_of_one: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of_main(*arguments) == 2
    shown = capsys.readouterr()
    assert WRONG[arguments] in shown.err
    assert shown.err.startswith("error: ")
    assert len(shown.err.strip().splitlines()) == 1, shown.err
    assert shown.out == ""


@pytest.mark.parametrize("arguments", MISSPELLED, ids=" ".join)
def test_a_misspelled_command_is_status_2_and_shows_its_usage(
    arguments: tuple[str, ...], shop_of_one: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of_main(*arguments) == 2
    shown = capsys.readouterr().err
    assert "Usage: " in shown
    assert "Traceback" not in shown


def test_the_console_script_ends_wrong_use_with_status_2_too(shop_of_one: Desk) -> None:
    done = shop_of_one.copydesk("publish", "--shop", "nobody", status=2)
    assert done.stderr.startswith("error: there is no shop 'nobody'")
    assert "Usage: copydesk" in shop_of_one.copydesk("drafts", "approve", status=2).stderr


def test_a_run_with_a_failed_item_ends_with_status_1_and_only_it_is_asked_for_again(desk: Desk) -> None:
    desk.import_products(["one", "two", "held"], two="fail", held="refuse")
    planned = desk.json("describe", "--shop", "acme", "--wait", status=1)
    assert (planned["ready"], planned["held"], planned["failed"]) == (1, 1, 1)
    held = desk.json("drafts", "list", "--state", "held")
    assert [draft["sku"] for draft in held] == ["held"]
    assert held[0]["reasons"], "it says why"
    assert desk.query("SELECT DISTINCT asks FROM drafts WHERE state IN ('held', 'failed')") == [(Settings().max_asks,)]
    again = desk.json("describe", "--shop", "acme", "--changed", status=None)
    assert (again["queued"], again["skipped"]) == (1, {"unchanged": 2})
    watched = desk.copydesk("watch", again["run"], status=1)
    assert f"run {again['run']}: 1/1 · " in watched.stderr
    assert "0 ready, 0 held, 1 failed, 0 stale" in watched.stderr
