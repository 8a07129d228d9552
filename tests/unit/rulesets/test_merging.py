"""One set of rules of many: who comes over whom, where each value comes from, and what contradicts itself."""

from pathlib import Path

import pytest

from copydesk import prompts
from copydesk.errors import ConfigurationError
from copydesk.guards import CODES
from copydesk.jobs import recipes
from copydesk.model import REPLY
from copydesk.rulesets import CHANNELS
from copydesk.rulesets.model import preset
from copydesk.settings import Rules, Settings, Shop


@pytest.fixture
def shop(tmp_path: Path) -> "WithRules":
    return WithRules(tmp_path)


class WithRules:
    """A shop whose ruleset files are these texts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def settings(self, *files: str, rules: Rules | None = None, voice: str = "") -> Settings:
        paths = []
        for number, text in enumerate(files):
            paths.append(self.folder / f"{number}.toml")
            paths[-1].write_text(text, encoding="utf-8")
        return Settings(rules=rules or Rules(), shops={"demo": Shop(voice=voice, rules=tuple(paths))})

    def rules(self, *files: str, kind: str = "description", language: str = "en", **own: object) -> Rules:
        rules = Rules.model_validate(own)
        return recipes.rules_for(self.settings(*files, rules=rules), "demo", kind, language)

    def sources(self, *files: str, kind: str = "description", language: str = "en") -> dict[str, tuple[str, ...]]:
        found = recipes.effective_rules(self.settings(*files), "demo", kind, language)
        return {
            name: tuple(one.replace(f"{self.folder}/", "") for one in named) for name, named in found.sources.items()
        }


TABLES = """
voice = "top"
[languages.en]
voice = "language"
[kinds.description]
voice = "kind"
[kinds.description.languages.en]
voice = "kind and language"
"""


@pytest.mark.parametrize(
    ("kind", "language", "voice"),
    [
        ("description", "en", "kind and language"),
        ("description", "zh", "kind"),
        ("bullets", "en", "language"),
        ("bullets", "zh", "top"),
    ],
)
def test_the_more_special_table_counts(shop: WithRules, kind: str, language: str, voice: str) -> None:
    assert shop.rules(TABLES, kind=kind, language=language).voice == voice


def test_a_later_file_comes_over_an_earlier_one_and_both_over_the_settings(shop: WithRules) -> None:
    found = shop.rules("max_words = 70\ntone = 'first'", "tone = 'second'", max_words=90, min_words=11)
    assert (found.max_words, found.min_words, found.tone) == (70, 11, "second")


def test_words_add_up_and_severities_replace_one_by_one(shop: WithRules) -> None:
    found = shop.rules(
        "forbidden = ['a', 'b']\nguards = {words = 'hard', language = 'warn'}",
        "[kinds.description]\nforbidden = ['b', 'c']",
        "guards = {words = 'off'}",
        forbidden=["z"],
    )
    assert found.forbidden == ("z", "a", "b", "c")
    assert found.guards == {"words": "off", "language": "warn"}


def test_lengths_of_a_kind_of_its_own_give_way_only_to_what_is_set_for_it(shop: WithRules) -> None:
    own = prompts.rules("seo_title", "en")
    assert own.max_words != 70
    general = "max_words = 70\n[languages.en]\nmax_words = 70"
    assert shop.rules(general).max_words == 70
    assert shop.rules(general, kind="seo_title").max_words == own.max_words
    assert shop.rules(f"{general}\n[kinds.seo_title]\nmax_words = 9", kind="seo_title").max_words == 9


def test_where_each_value_comes_from_is_told(shop: WithRules) -> None:
    found = shop.sources(
        "forbidden = ['a']\nchannel = 'shopify'\n[kinds.seo_title]\nforbidden = ['b']\ntone = 'c'", kind="seo_title"
    )
    assert found["forbidden"] == ("0.toml", "0.toml [kinds.seo_title]")
    assert found["max_characters"] == ("channel shopify [kinds.seo_title]",)
    assert found["max_words"] == ("the prompt of seo_title",)
    assert found["tone"] == ("0.toml [kinds.seo_title]",)
    assert found["min_chars_zh"] == ("default",)
    assert recipes.effective_rules(shop.settings(rules=Rules(max_words=61), voice="Dry."), "demo", "ad", "en").sources[
        "voice"
    ] == ("copydesk.toml [shops.demo]",)


@pytest.mark.parametrize(
    ("channel", "kind", "language", "values"),
    [
        ("shopify", "seo_title", "en", {"max_characters": 70}),
        ("shopify", "seo_meta", "zh", {"max_characters": 160}),
        ("google", "seo_title", "en", {"max_characters": 150}),
        ("google", "description", "en", {"max_characters": 5000}),
        ("amazon", "seo_title", "en", {"max_characters": 200}),
        ("amazon", "bullets", "zh", {"max_bullets": 5, "max_bullet_characters": 255}),
        ("taobao", "description", "zh", {"guards": {"law.cn": "hard"}}),
    ],
)
def test_a_channel_brings_its_numbers(
    shop: WithRules, channel: str, kind: str, language: str, values: dict[str, object]
) -> None:
    found = shop.rules(f"[kinds.{kind}]\nchannel = '{channel}'", kind=kind, language=language).model_dump()
    assert {name: found[name] for name in values} == values
    assert found["channel"] == channel


def test_the_file_comes_over_the_channel_wherever_the_channel_is_named(shop: WithRules) -> None:
    found = shop.rules("[kinds.bullets]\nmax_bullets = 4", "channel = 'amazon'", kind="bullets")
    assert (found.max_bullets, found.max_bullet_characters) == (4, 255)
    assert shop.rules(kind="bullets", channel="amazon").max_bullet_characters == 255
    assert (
        shop.rules("channel = 'shopify'\n[kinds.seo_title]\nchannel = 'amazon'", kind="seo_title").max_characters == 200
    )


def test_presets_name_only_kinds_languages_and_guards_that_are_there() -> None:
    known = recipes.known_names(Settings())
    for channel in CHANNELS:
        content = preset(channel)
        assert set(content.kinds) <= set(known.kinds)
        assert {code for _, part in content.all_tables() for code in part.guards} <= set(CODES)


def test_a_voice_is_learned_from_samples_where_none_is_written(shop: WithRules) -> None:
    samples = "samples = ['We made it for you.', '我们为您做了这个。']"
    assert '"we" to "you"' in shop.rules(samples).voice
    assert "“您”" in shop.rules(samples, language="zh").voice
    assert shop.rules(f"{samples}\nvoice = 'Dry.'").voice == "Dry."
    assert shop.sources(samples)["voice"] == ("the samples of 0.toml",)


def test_replies_go_by_their_own_table_only(shop: WithRules) -> None:
    found = shop.rules("forbidden = ['a']\ntone = 'b'\n[kinds.reply]\nforbidden = ['c']", kind=REPLY)
    assert (found.forbidden, found.tone) == (("c",), "")
    assert shop.rules(kind=REPLY, required=["a"], forbidden=["d"]) == Rules(forbidden=("d",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("min_words = 90", "min_words = 90 (0.toml) is over max_words = 80 (default): set both"),
        (
            "[kinds.description]\nmax_words = 5",
            "min_words = 12 (default) is over max_words = 5 (0.toml [kinds.description]): set both",
        ),
        (
            "min_bullets = 3\nmax_bullets = 2",
            "min_bullets = 3 (0.toml) is over max_bullets = 2 (0.toml): set both",
        ),
        (
            "required = ['Hand Made']\nforbidden = ['hand  made | handmade']",
            '"Hand Made" is required (0.toml) and forbidden (0.toml): take it out of one list',
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_both_sides_named(shop: WithRules, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        shop.rules(text)
    assert str(error.value).replace(f"{shop.folder}/", "").splitlines() == [
        "the rules of description in en contradict themselves:",
        f"  {told}",
    ]
    lines = recipes.what_is_wrong(Settings(), shop.folder / "0.toml")
    assert [line.replace(f"{shop.folder}/", "") for line in lines] == [told]


def test_a_required_word_with_another_spelling_is_no_contradiction(shop: WithRules) -> None:
    assert shop.rules("required = ['cosy | snug']\nforbidden = ['cosy']").required == ("cosy | snug",)


def test_lengths_of_another_script_are_no_contradiction(shop: WithRules) -> None:
    assert shop.rules("min_words = 90", language="zh").min_words == 90
    assert recipes.what_is_wrong(Settings(), shop.folder / "0.toml") != []


def test_a_shop_without_files_goes_by_the_settings(shop: WithRules) -> None:
    assert shop.rules(max_words=61) == Rules(max_words=61)
    assert recipes.rules_for(Settings(rules=Rules(max_words=61)), "unknown", "description", "en") == Rules(max_words=61)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"guards": {"word": "off"}}, 'no guard "word", did you mean "words"'),
        ({"channel": "ebay"}, 'no preset for "ebay"'),
    ],
)
def test_the_settings_may_not_name_what_nobody_knows_either(
    shop: WithRules, rules: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        shop.rules(**rules)
