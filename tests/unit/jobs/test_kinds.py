"""Copy of every kind goes the way of descriptions: planned with its own prompt and limits, written, judged."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from answering import Answering
from databases import Ledger
from engines import in_thread

from copydesk import prompts
from copydesk.engine.base import Completion, Finish
from copydesk.engine.hosted import HostedEngine
from copydesk.engine.scripted import ScriptedBackend
from copydesk.errors import ConfigurationError, InputError
from copydesk.jobs.copywriting import Wanted, estimate, plan, write_chunk
from copydesk.model import Dialect, Facts, Product, Status, TextFormat
from copydesk.settings import Rules, Sampling, Settings
from copydesk.store import Database
from copydesk.store.drafts import Draft

KINDS = tuple(kind for kind in prompts.kinds() if kind != "translation")
TEXT = "It holds 350 ml."
OWN = """
version = 1
system = "You write care tips."
template = "Facts:\\n$facts\\n$voice\\nWrite the care tip."
plain = "Facts:\\n$facts\\nCare tip:"
voice = "Write in this voice: $voice"
echoes = []

[rules]
max_words = 60
"""


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


@pytest.fixture
def scripted() -> Iterator[HostedEngine]:
    engine = in_thread(ScriptedBackend)
    yield engine
    engine.close()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "care_tips.en.toml").write_text(OWN, "utf-8")
    return tmp_path


def mug(language: str = "en", text: str = "<p>It holds 350 ml.</p>") -> Product:
    facts = {
        "en": Facts("Enamel Mug", "Ridgeway", "Mugs", (("Colour", "Blue"), ("Capacity", "350 ml"))),
        "zh": Facts("搪瓷杯", "山泉", "杯子", (("颜色", "蓝色"), ("容量", "350 毫升")), "zh"),
    }
    return Product(f"mug-{language}", facts[language], text, TextFormat.HTML, Dialect.SHOPIFY)


def written(ledger: Ledger, engine: object, settings: Settings, wanted: Wanted, **worker: object) -> list[Draft]:
    """The drafts of a run of its own, written by a worker whose settings may be others."""
    run = plan(ledger.database, settings, ledger.shop, f"run of {wanted}", wanted).run
    write_chunk(ledger.database, Settings(**worker), engine, run, 0, lambda line: None)  # type: ignore[arg-type]
    return ledger.drafts(run=run)


def saying(text: str) -> Answering:
    """An engine with one answer for everything."""
    return Answering(lambda request: [Completion(request.id, 0, text, Finish.STOP, 10, 20)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_written_in_both_languages_and_is_ready(ledger: Ledger, scripted: HostedEngine, kind: str) -> None:
    ledger.take_in(mug("en"), mug("zh"))

    drafts = written(ledger, scripted, Settings(), Wanted(kind=kind))

    assert [(draft.kind, draft.language, draft.state) for draft in drafts] == [
        (kind, "en", Status.READY),
        (kind, "zh", Status.READY),
    ], [draft.reasons for draft in drafts]
    assert [draft.prompt for draft in drafts] == [prompts.version(kind, language) for language in ("en", "zh")]


TOO_LONG = "Enamel Mug by Ridgeway " * 4 + "in blue"


@pytest.mark.parametrize(
    ("kind", "text", "wrong"),
    [
        ("seo_title", TOO_LONG, "at most 70 fit"),
        ("seo_title", "Enamel Mug by Ridgeway\nin blue", "more than one line"),
        ("bullets", "- Enamel Mug by Ridgeway, in blue, for tea", "at least 3 are wanted"),
        ("email", "Enamel Mug by Ridgeway. " + "It is blue, and it holds your tea all day. " * 3, "Subject"),
        ("ad", "Meet the Enamel Mug from Ridgeway, " + "blue, " * 30 + "and all yours.", "at most 24 are wanted"),
    ],
)
def test_what_breaks_the_limits_of_its_kind_is_held(ledger: Ledger, kind: str, text: str, wrong: str) -> None:
    ledger.take_in(mug())
    (draft,) = written(ledger, saying(text), Settings(), Wanted(kind=kind))
    assert draft.state is Status.HELD
    assert any(wrong in reason.message for reason in draft.reasons), draft.reasons


def test_a_title_needs_no_full_stop_and_a_description_does(ledger: Ledger) -> None:
    ledger.take_in(mug())
    title = "Enamel Mug by Ridgeway in Blue"
    states = [written(ledger, saying(title), Settings(), Wanted(kind=kind))[0].state for kind in ("seo_title", "ad")]
    assert states == [Status.READY, Status.HELD]


@pytest.mark.parametrize(("kind", "tokens"), [("description", 80), ("email", 220), ("seo_title", 80)])
def test_a_long_kind_may_answer_longer_than_the_settings_say(ledger: Ledger, kind: str, tokens: int) -> None:
    ledger.take_in(mug())
    engine = saying("-")
    written(ledger, engine, Settings(max_asks=1), Wanted(kind=kind))
    assert engine.asked[0].sampling.max_tokens == tokens


def test_settings_that_allow_more_than_a_kind_needs_are_kept(ledger: Ledger) -> None:
    ledger.take_in(mug())
    engine = saying("-")
    written(ledger, engine, Settings(max_asks=1, sampling=Sampling(max_tokens=999)), Wanted(kind="email"))
    assert engine.asked[0].sampling.max_tokens == 999


def test_one_kinds_prompt_makes_only_its_own_copy_due(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(mug())
    for kind in ("bullets", "ad"):
        ledger.write(plan(ledger.database, Settings(), ledger.shop, "first", Wanted(kind=kind)).run)
    (tmp_path / "bullets.en.toml").write_text(OWN, "utf-8")
    settings = Settings(prompts_dir=tmp_path)

    queued = {
        kind: plan(ledger.database, settings, ledger.shop, "second", Wanted(kind=kind)).queued
        for kind in ("bullets", "ad")
    }

    assert queued == {"bullets": 1, "ad": 0}


def test_an_estimate_is_of_the_kind_that_is_asked_for(ledger: Ledger) -> None:
    ledger.take_in(mug())
    tokens: Mapping[str, int] = {
        kind: estimate(ledger.database, Settings(), ledger.shop, Wanted(kind=kind)).tokens
        for kind in ("description", "email")
    }
    assert tokens["email"] > tokens["description"] > 0


def test_an_unknown_kind_is_refused_with_where_to_look(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="kind 'poem': `copydesk kinds`"):
        plan(ledger.database, Settings(), ledger.shop, "night", Wanted(kind="poem"))


# A shop's own --------------------------------------------------------------------------------------------------------


def test_a_worker_without_the_shops_folder_writes_its_kind_all_the_same(
    ledger: Ledger, scripted: HostedEngine, own: Path
) -> None:
    """The run holds the prompts that it was planned with."""
    ledger.take_in(mug())

    (draft,) = written(ledger, scripted, Settings(prompts_dir=own), Wanted(kind="care_tips"))

    assert (draft.kind, draft.state) == ("care_tips", Status.READY)
    assert draft.prompt is not None
    assert draft.prompt.startswith("care_tips/en@1+")


def test_a_run_is_written_with_the_prompt_that_it_was_planned_with(ledger: Ledger, own: Path) -> None:
    ledger.take_in(mug())
    settings = Settings(prompts_dir=own, max_asks=1)
    run = plan(ledger.database, settings, ledger.shop, "night", Wanted(kind="care_tips")).run
    (own / "care_tips.en.toml").write_text(OWN.replace("care tips", "poems"), "utf-8")
    engine = saying("-")

    write_chunk(ledger.database, settings, engine, run, 0, lambda line: None)

    assert engine.asked[0].messages[0].content == "You write care tips."


def test_a_product_in_a_language_that_the_kind_lacks_is_left_out(ledger: Ledger, own: Path) -> None:
    ledger.take_in(mug("en"), mug("zh"))
    planned = plan(ledger.database, Settings(prompts_dir=own), ledger.shop, "night", Wanted(kind="care_tips"))
    assert (planned.queued, dict(planned.skipped)) == (1, {"no prompt for the language": 1})


def test_a_guard_that_a_file_misspells_is_named(ledger: Ledger, own: Path) -> None:
    (own / "care_tips.en.toml").write_text(OWN + '\n[rules.guards]\n"facts.numbres" = "off"\n', "utf-8")
    with pytest.raises(ConfigurationError, match=r"care_tips.*facts\.numbres"):
        plan(ledger.database, Settings(prompts_dir=own), ledger.shop, "night", Wanted(kind="care_tips"))


def test_the_rules_of_the_settings_count_where_a_kind_sets_none(ledger: Ledger, own: Path) -> None:
    ledger.take_in(mug())
    settings = Settings(prompts_dir=own, rules=Rules(min_words=50, max_words=55), max_asks=1)
    (draft,) = written(ledger, saying("Enamel Mug from Ridgeway."), settings, Wanted(kind="care_tips"))
    assert "has 4 words, at least 50 are wanted" in [reason.message for reason in draft.reasons]


# Translations --------------------------------------------------------------------------------------------------------

INTO_CHINESE = Wanted(kind="translation", to="zh")


def test_a_translation_is_of_the_live_text_and_in_the_other_language(ledger: Ledger, scripted: HostedEngine) -> None:
    ledger.take_in(mug("en"), mug("zh", text="<p>容量350毫升。</p>"))

    drafts = [
        *written(ledger, scripted, Settings(), INTO_CHINESE),
        *written(ledger, scripted, Settings(), Wanted(kind="translation", to="en")),
    ]

    assert [(draft.sku, draft.kind, draft.language) for draft in drafts] == [
        ("mug-en", "translation-zh", "zh"),
        ("mug-zh", "translation-en", "en"),
    ]
    assert "350 ml" in drafts[0].text


def test_a_translation_reads_the_text_and_no_facts(ledger: Ledger) -> None:
    ledger.take_in(mug(text="<p>It holds 350 ml.</p><p>Tea stays warm.</p>"))
    engine = saying("-")
    written(ledger, engine, Settings(max_asks=1), INTO_CHINESE)
    asked = engine.asked[0].messages[-1].content
    assert "It holds 350 ml.\nTea stays warm." in asked
    assert "Ridgeway" not in asked


@pytest.mark.parametrize(
    ("text", "said", "wrong"),
    [
        ("It is blue and holds 350 ml.", "搪瓷杯是蓝色的，容量350毫升。", ""),
        ("It is blue and holds 350 ml.", "搪瓷杯是蓝色的，容量0.35升。", ""),
        ("It is blue and holds 350 ml.", "搪瓷杯是蓝色的，容量500毫升。", 'says "500毫升"'),
        ("It is blue and holds 350 ml.", "搪瓷杯是蓝色的，喝茶很合适。", 'leaves out "350 ml"'),
        ("It is made of steel and holds 350 ml.", "搪瓷杯容量350毫升，喝茶很合适。", 'leaves out "steel"'),
        ("It is made of steel and holds 350 ml.", "搪瓷杯采用铝合金和钢，容量350毫升。", "铝合金"),
        ("It holds 350 ml and keeps tea warm.", "It holds 350 ml and keeps tea warm.", "untranslated"),
    ],
)
def test_a_translation_says_what_the_text_says_and_nothing_else(
    ledger: Ledger, text: str, said: str, wrong: str
) -> None:
    ledger.take_in(mug(text=f"<p>{text}</p>"))

    (draft,) = written(ledger, saying(said), Settings(max_asks=1), INTO_CHINESE)

    refused = [reason.message for reason in draft.reasons if not reason.warns]
    assert draft.state is (Status.HELD if wrong else Status.READY), refused
    assert any(wrong in message for message in refused) == bool(wrong)


def test_a_text_that_is_gone_by_the_time_it_is_read_holds_its_draft(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.take_in(mug())
    monkeypatch.setattr("copydesk.jobs.copywriting.to_plain", lambda text: "")
    (draft,) = written(ledger, saying("-"), Settings(), INTO_CHINESE)
    assert (draft.state, draft.text) == (Status.HELD, "")
    assert [reason.code for reason in draft.reasons] == ["facts.missing"]


@pytest.mark.parametrize(
    ("wanted", "wrong"),
    [
        (Wanted(kind="translation"), "--to en or --to zh"),
        (Wanted(kind="bullets", to="zh"), "leave --to out"),
    ],
)
def test_a_language_is_named_for_a_translation_and_for_nothing_else(ledger: Ledger, wanted: Wanted, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        plan(ledger.database, Settings(), ledger.shop, "night", wanted)


def test_a_language_without_a_prompt_is_refused_with_those_there_are(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match=r"'fr'.*en, zh"):
        plan(ledger.database, Settings(), ledger.shop, "night", Wanted(kind="translation", to="fr"))
