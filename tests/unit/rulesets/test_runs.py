"""A shop's ruleset files and its runs: read when a run is planned, kept with it, and an edit makes products due."""

from pathlib import Path

import pytest
from answering import Answering
from databases import Ledger, product

from copydesk.engine.base import Completion, Finish, Request
from copydesk.errors import ConfigurationError
from copydesk.jobs import copywriting, replies
from copydesk.jobs.copywriting import Recipe, Wanted, plan, write_chunk
from copydesk.settings import Rules, Settings, Shop
from copydesk.store import Database

COPY = "Thing 1 from Ridgeway is a calm red thing for the table at home, and good to have there."


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "shop.toml"
    file.write_text("tone = 'friendly'", encoding="utf-8")
    return file


def settings(rules: Path) -> Settings:
    return Settings(max_asks=1, shops={"demo": Shop(voice="Dry.", rules=(rules,))})


def written(ledger: Ledger, run: int) -> Request:
    """What was asked of a model that always writes the same."""
    engine = Answering(lambda request: [Completion(request.id, 0, COPY, Finish.STOP, 10, 20)])
    write_chunk(ledger.database, Settings(), engine, run, 0, lambda line: None)
    return engine.asked[0]


def test_a_run_is_written_by_the_rules_it_was_planned_with(ledger: Ledger, rules: Path) -> None:
    ledger.take_in(product())
    rules.write_text("tone = 'friendly'\nrequired = ['snug']\nforbidden = ['calm']\nmust_say = ['Colour']", "utf-8")
    run = plan(ledger.database, settings(rules), "demo", "night").run
    rules.unlink()

    asked = written(ledger, run).messages[-1].content

    assert "Dry; friendly" in asked
    assert "Use these words: snug." in asked
    (draft,) = ledger.drafts()
    assert [(reason.code, reason.span) for reason in draft.reasons] == [
        ("words.required", "snug"),
        ("words.forbidden", "calm"),
    ]


def test_an_edited_ruleset_makes_the_products_of_its_language_due(ledger: Ledger, rules: Path) -> None:
    ledger.take_in(product(1), product(2, language="zh"))

    def queued(key: str, text: str) -> list[str]:
        rules.write_text(text, encoding="utf-8")
        run = plan(ledger.database, settings(rules), "demo", key).run
        skus = [draft.sku for draft in ledger.drafts(run=run)]
        ledger.write(run)
        return skus

    assert queued("first", "tone = 'friendly'") == ["sku1", "sku2"]
    assert queued("same", "# a comment\ntone = 'friendly'") == []
    assert queued("chinese", "tone = 'friendly'\n[languages.zh]\nforbidden = ['便宜']") == ["sku2"]
    assert (
        queued("bullets", "tone = 'friendly'\n[languages.zh]\nforbidden = ['便宜']\n[kinds.bullets]\ntone = 'x'") == []
    )


def test_a_run_is_not_planned_with_a_ruleset_that_is_wrong(ledger: Ledger, rules: Path) -> None:
    ledger.take_in(product())
    rules.write_text("max_bulets = 3", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="did you mean"):
        plan(ledger.database, settings(rules), "demo", "night")
    with pytest.raises(ConfigurationError, match="did you mean"):
        replies.plan(ledger.database, settings(rules), "demo", "replies")


def test_a_recipe_keeps_its_rules_by_language(rules: Path) -> None:
    rules.write_text("[languages.zh]\nvoice = '朴实。'\ntone = '亲切'", encoding="utf-8")
    recipe = Recipe.of(settings(rules), "demo", Wanted())
    assert Recipe.from_json(recipe.as_json()) == recipe
    assert (recipe.voice_in("en"), recipe.voice_in("zh")) == ("Dry.", "朴实；亲切")
    with pytest.raises(ConfigurationError, match="plan it again"):
        recipe.rules_in("fr")


def test_a_recipe_of_a_run_planned_before_has_one_set_of_rules_for_all_languages() -> None:
    before = {"min_words": 12, "max_words": 33, "min_chars_zh": 30, "max_chars_zh": 300}
    for made in (copywriting.Recipe.of(Settings(), "demo", Wanted()), replies.Recipe.of(Settings(), "demo")):
        recipe = type(made).from_json({**made.as_json(), "rules": before, "voice": "Dry."})
        assert recipe.rules_in("en") == recipe.rules_in("zh") == Rules(max_words=33)
        assert recipe.voice_in("zh") == "Dry."
