"""The commands of review: decide on many, look before, go back; and what they say."""

import getpass
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from databases import Ledger, outcome, product, some
from typer.testing import CliRunner

from copydesk import settings as copydesk_settings
from copydesk.errors import IllegalMove, InputError, NotFound
from copydesk.model import Reason, Status
from copydesk.store import Database, drafts
from producer import cli
from producer.commands import review


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def ledger(tmp_path: Path, migrated_sqlite_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("COPYDESK_DATABASE_URL", f"sqlite:///{shutil.copy(migrated_sqlite_file, tmp_path / 'l.db')}")
    copydesk_settings.load.cache_clear()
    database = Database(copydesk_settings.load().database)
    yield Ledger(database)
    database.close()


@pytest.fixture
def run(ledger: Ledger) -> int:
    """Three ready drafts, one of them with a remark, and a held one."""
    ledger.take_in(*some(4))
    made = ledger.plan().run
    *ready, marked, held = ledger.claim(made)
    remark = Reason("facts.materials", "says oak", "oak", warns=True)
    ledger.settle(
        *[outcome(one, text="New {sku}.") for one in ready],
        drafts.Outcome(marked.id, Status.READY, "New sku3.", (remark,)),
        drafts.Outcome(held.id, Status.HELD, "Of 3 kg.", (Reason("facts.numbers", "says 3 kg", "3 kg"),)),
    )
    ledger.finalize(made)
    return made


def two_persons() -> None:
    Path("copydesk.toml").write_text("[shops.demo]\nfour_eyes = true\n", "utf-8")
    copydesk_settings.load.cache_clear()


def copydesk(*words: object, answer: str | None = None) -> Result:
    done = CliRunner().invoke(cli.app, [str(word) for word in words], input=answer)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def said(*words: object) -> str:
    done = copydesk(*words)
    assert done.exit_code == 0, done.output
    return done.stdout


def as_json(*words: object) -> Any:
    return json.loads(said(*words, "--json"))


def test_a_dry_run_counts_and_decides_nothing(ledger: Ledger, run: int) -> None:
    assert as_json("drafts", "reject", "--run", run, "--dry-run") == [
        {"kind": "description", "state": "held", "drafts": 1},
        {"kind": "description", "state": "ready", "drafts": 3},
    ]
    shown = said("drafts", "reject", "--shop", "demo", "--dry-run")
    assert "4 drafts in all" in shown
    assert ledger.states() == ["ready", "ready", "ready", "held"]


def test_a_sample_shows_some_and_decides_nothing(ledger: Ledger, run: int) -> None:
    drawn = as_json("drafts", "approve", "--run", run, "--sample", 2)

    assert len(drawn) == 2
    assert {draft["state"] for draft in drawn} == {"ready"}
    assert ledger.states() == ["ready", "ready", "ready", "held"]


def test_the_filter_chooses_what_is_approved(ledger: Ledger, run: int) -> None:
    assert said("drafts", "approve", "--run", run, "--no-warnings", "--sku-like", "SKU?") == "2 approved\n"
    assert said("drafts", "reject", "--shop", "demo", "--reason", "facts.numbers") == "1 rejected\n"
    assert ledger.states() == ["approved", "approved", "ready", "rejected"]
    assert [draft["sku"] for draft in as_json("drafts", "list", "--reason", "facts.materials")] == ["sku3"]


def test_held_drafts_are_approved_only_when_they_are_named(ledger: Ledger, run: int) -> None:
    said("drafts", "approve", "--run", run)
    assert ledger.states() == ["approved", "approved", "approved", "held"]
    said("drafts", "approve", "--run", run, "--state", "held")
    assert ledger.states()[3] == "approved"


@pytest.mark.parametrize(
    "words",
    [
        ["approve"],
        ["approve", 1, "--run", 1],
        ["approve", 1, "--kind", "description"],
        ["reject", 1, "--dry-run"],
        ["approve", "--run", 1, "--state", "stale"],
        ["approve", "--run", 1, "--limit", 0],
    ],
)
def test_what_is_to_be_decided_on_is_named_in_one_way(ledger: Ledger, run: int, words: list[object]) -> None:
    assert copydesk("drafts", *words).exit_code == 2
    assert ledger.states() == ["ready", "ready", "ready", "held"]


def test_an_unknown_shop_run_or_kind_is_named(ledger: Ledger, run: int) -> None:
    for option, value, error in [
        ("--shop", "nowhere", NotFound),
        ("--run", 77, NotFound),
        ("--kind", "sonnet", InputError),
        ("--kind", "bullets-zh", InputError),
    ]:
        with pytest.raises(error, match=str(value)):
            copydesk("drafts", "list", option, value)
    Ledger(ledger.database, "other")
    with pytest.raises(NotFound, match="not of the shop 'other'"):
        copydesk("drafts", "approve", "--run", run, "--shop", "other")


def test_a_translation_is_named_with_its_language(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="use translation-en or translation-zh"):
        copydesk("drafts", "list", "--kind", "translation")
    assert copydesk("drafts", "list", "--kind", "translation-zh").stdout == "no such drafts\n"


def test_a_new_text_is_given_in_one_way(ledger: Ledger, run: int, tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("Mine.", "utf-8")
    assert copydesk("drafts", "edit", 1, "--text", "Mine too.", "--file", file).exit_code == 2
    assert ledger.states()[0] == "ready"


@pytest.mark.parametrize("words", [["kinds"], ["rules", "show"]])
def test_rules_are_shown_of_shops_that_somebody_knows(ledger: Ledger, words: list[str]) -> None:
    with pytest.raises(NotFound, match="no shop 'nowhere'"):
        copydesk(*words, "--shop", "nowhere")
    assert copydesk(*words, "--shop", "demo").exit_code == 0


@pytest.mark.parametrize(
    ("at_a_terminal", "words", "answer", "approved"),
    [(True, [], "n\n", 0), (True, [], "y\n", 101), (True, ["--yes"], None, 101), (False, [], None, 101)],
)
def test_more_than_a_hundred_are_asked_about_at_a_terminal(
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    at_a_terminal: bool,
    words: list[str],
    answer: str | None,
    approved: int,
) -> None:
    ledger.take_in(*some(101))
    run = ledger.plan(chunk_size=101).run
    ledger.write(run)
    monkeypatch.setattr(review, "_at_a_terminal", lambda: at_a_terminal)

    done = copydesk("drafts", "approve", "--run", run, *words, answer=answer)

    assert ledger.states().count("approved") == approved
    assert ("101 drafts of demo become approved" in done.output) is (answer is not None)


def test_four_eyes_tell_a_person_what_is_still_wanted(
    ledger: Ledger, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_persons()
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    first, second, *_ = [draft.id for draft in ledger.drafts()]

    assert said("drafts", "approve", first) == "0 approved\n1 have your yes now: a second person has to approve them\n"
    with pytest.raises(IllegalMove, match="your yes already"):
        copydesk("drafts", "approve", first)
    assert "ready (yes: ann)" in said("drafts", "list", "--run", run)
    assert as_json("drafts", "approve", "--run", run) == {"approved": 0, "first": 2, "already": 1, "without_text": 0}
    edited = said("drafts", "edit", second, "--text", "Ann's words.")
    assert edited == f"draft {second} edited; a second person has to approve it\n"
    assert said("publish", "--shop", "demo") == "0 published\n"

    monkeypatch.setattr(getpass, "getuser", lambda: "bob")
    assert said("drafts", "approve", "--run", run) == "3 approved\n"
    assert said("publish", "--shop", "demo") == "3 published\n"
    assert ledger.live("sku2") == "<p>Ann's words.</p>"


def test_the_label_of_an_export_is_not_taken_for_a_persons_words(ledger: Ledger, run: int) -> None:
    draft = ledger.drafts()[0].id
    assert said("drafts", "edit", draft, "--text", "New sku1.\n\n（本文由人工智能生成）") == "nothing changed\n"
    assert ledger.drafts()[0].model_text is None


def test_an_export_marks_text_by_the_shops_own_setting_or_as_it_is_told(ledger: Ledger, run: int) -> None:
    Path("copydesk.toml").write_text('[shops.demo]\nlabel = "cn"\nlabel_producer = "Fernhill Ltd"\n', "utf-8")
    copydesk_settings.load.cache_clear()
    said("drafts", "approve", "--run", run)
    said("publish", "--shop", "demo")
    before = [len(ledger.history(f"sku{place}")) for place in range(1, 5)]

    said("export", "products", "out.jsonl", "--shop", "demo", "--format", "jsonl")
    record = json.loads(Path("out.jsonl").read_text("utf-8").splitlines()[0])
    assert record["AIGC"]["ContentProducer"] == "Fernhill Ltd"
    said("export", "products", "out.csv", "--shop", "demo", "--format", "shopify")
    assert Path("out.csv").read_text("utf-8").count("人工智能生成") == 3
    assert as_json("import", "products", "out.csv", "--shop", "demo")["changed"] == 0
    assert [len(ledger.history(f"sku{place}")) for place in range(1, 5)] == before

    said("export", "products", "out.csv", "--shop", "demo", "--format", "shopify", "--label", "none")
    assert "人工智能生成" not in Path("out.csv").read_text("utf-8")
    with pytest.raises(InputError, match="--label none"):
        copydesk("export", "products", "out.csv", "--shop", "demo", "--format", "shopify", "--label", "google")


def test_a_text_that_a_person_edited_lightly_is_still_marked_and_one_written_anew_is_not(
    ledger: Ledger, run: int
) -> None:
    light, anew, *_ = [draft.id for draft in ledger.drafts()]
    with ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE drafts SET text = 'The first mug of steel and of oak for the desk.'")
    said("drafts", "edit", light, "--text", "The first mug of steel and of oak for your desk.")
    said("drafts", "edit", anew, "--text", "Tea tastes best out of this one.")
    said("publish", "--shop", "demo")

    said("export", "products", "out.tsv", "--shop", "demo", "--format", "google")
    _, first, second = Path("out.tsv").read_text("utf-8").splitlines()
    assert first.endswith('\t\ttrained_algorithmic_media:"The first mug of steel and of oak for your desk."')
    assert second == "sku2\tTea tastes best out of this one.\t"


def test_the_history_lists_versions_and_what_differs_between_two(ledger: Ledger, run: int) -> None:
    said("drafts", "approve", "--run", run)
    said("publish", "--shop", "demo", "--run", run)

    listed = said("history", "sku1")
    assert "1 " in listed
    assert "2 *" in listed
    assert f"draft 1, run {run}" in listed
    versions = as_json("history", "sku1")
    assert [(one["version"], one["is_current"], one["origin"], one["run"]) for one in versions] == [
        (1, False, "imported", None),
        (2, True, "draft", run),
    ]


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        (
            "A mug of steel for the desk and for the road.",
            "A mug of oak for the desk and for the road.",
            "A mug of [-steel-] for the desk",
            "A mug of {+oak+} for the desk",
        ),
        (
            "这款杯子采用不锈钢制成，适合办公桌。",
            "这款杯子采用橡木制成，适合办公桌。",
            "采用[-不锈钢-]制成",
            "采用{+橡木+}制成",
        ),
    ],
)
def test_words_and_chinese_characters_that_differ_are_marked_without_colours(
    ledger: Ledger, before: str, after: str, removed: str, added: str
) -> None:
    ledger.take_in(product(description="The shop's."))
    ledger.publish(ledger.approved("first", text=before))
    ledger.publish(ledger.approved("second", text=after, everything=True))

    shown = said("history", "sku1", "--diff")
    assert removed in shown
    assert added in shown
    assert "\x1b" not in shown
    assert as_json("history", "sku1", "--diff", 3, 2)["before"]["text"] == after


def test_a_difference_is_between_two_versions_that_there_are(ledger: Ledger) -> None:
    ledger.take_in(product())
    with pytest.raises(InputError, match="nothing to compare"):
        copydesk("history", "sku1", "--diff")
    ledger.publish(ledger.approved())
    with pytest.raises(InputError, match="no version 9"):
        copydesk("history", "sku1", "--diff", 1, 9)
    assert copydesk("history", "sku1", 1, 2).exit_code == 2
    assert copydesk("history", "sku1", 1, "--diff").exit_code == 2


def test_undo_takes_back_one_product_one_version_or_a_whole_run(ledger: Ledger, run: int) -> None:
    said("drafts", "approve", "--run", run)
    said("publish", "--shop", "demo")
    said("drafts", "edit", ledger.drafts()[3].id, "--text", "By hand.")
    said("publish", "--shop", "demo")

    assert said("undo", "sku1") == "sku1 shows its earlier text again\n"
    assert said("undo", "sku1", "--to", 2) == "sku1 shows the text of version 2 again\n"
    assert said("undo", "--run", run).splitlines() == [
        "3 products show their earlier text again",
        "1 left: a person wrote what they show; `copydesk undo SKU` takes back one",
    ]
    assert [ledger.live(f"sku{place}") for place in range(1, 5)] == [
        *[f"<p>old {place}</p>" for place in range(1, 4)], "<p>By hand.</p>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words", [[], ["sku1", "--run", 1], ["--run", 1, "--to", 1], ["--run", 1, "--shop", "demo"], ["sku1", "--to", 0]]
)
def test_what_is_to_be_undone_is_named_in_one_way(ledger: Ledger, words: list[object]) -> None:
    assert copydesk("undo", *words).exit_code == 2


def test_publish_takes_the_runs_kind_where_no_other_is_named(ledger: Ledger) -> None:
    ledger.take_in(product())
    title = ledger.approved("title", "A title", kind="seo_title")
    ledger.approved("first", "ours")

    assert said("publish", "--shop", "demo", "--run", title) == "1 published\n"
    assert (ledger.live(kind="seo_title"), ledger.states()) == ("A title", ["published", "approved"])
    assert said("publish", "--shop", "demo") == "1 published\n"
