"""Ruleset files: TOML or YAML, everything wrong with them told at once, by key and with the remedy."""

from pathlib import Path

import pytest

from copydesk import rulesets
from copydesk.errors import ConfigurationError
from copydesk.rulesets import Known, Ruleset

KNOWN = Known(
    kinds=("description", "bullets", "reply"), languages=("en", "zh"), guards=("words", "law.cn", "shape.length")
)

IN_TOML = """
voice = "Plain."
forbidden = ["cheap"]

[guards]
"law.cn" = "off"

[languages.zh]
voice = "朴实。"

[kinds.bullets]
channel = "amazon"
max_bullets = 4

[kinds.bullets.languages.zh]
max_bullet_characters = 60
"""
IN_YAML = """
voice: Plain.
forbidden: [cheap]
guards:
  law.cn: off
languages:
  zh: {voice: 朴实。}
kinds:
  bullets:
    channel: amazon
    max_bullets: 4
    languages:
      zh: {max_bullet_characters: 60}
"""


@pytest.fixture
def files(tmp_path: Path) -> "Files":
    return Files(tmp_path)


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, name: str = "shop.toml") -> Path:
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name

    def load(self, text: str, name: str = "shop.toml") -> Ruleset:
        return rulesets.load(self.write(text, name), KNOWN)

    def wrong(self, text: str, name: str = "shop.toml", known: Known = KNOWN) -> list[str]:
        return rulesets.check(self.write(text, name), known)


def test_toml_and_yaml_say_the_same(files: Files) -> None:
    assert files.load(IN_TOML).content == files.load(IN_YAML, "shop.yaml").content
    assert files.wrong(IN_TOML) == files.wrong(IN_YAML, "shop.yml") == []


def test_off_and_no_are_words_in_yaml(files: Files) -> None:
    content = files.load("guards: {law.cn: off}\nvoice: no\none_line: true", "shop.yaml").content
    assert (content.guards, content.voice, content.one_line) == ({"law.cn": "off"}, "no", True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("max_bulets = 3", 'max_bulets: there is no such rule, did you mean "max_bullets"?'),
        ("[kinds.bullets]\nchanel = 'amazon'", 'kinds.bullets.chanel: there is no such rule, did you mean "channel"?'),
        (
            "[kinds.bullets.languages.zh]\ntones = 'x'",
            'kinds.bullets.languages.zh.tones: there is no such rule, did you mean "tone"?',
        ),
        ("required = 'cheap'", """required: write a list, as in ["one", "two"], not 'cheap'"""),
        ("required = [3]", "required.0: write text in quotes, not 3"),
        ("forbidden = ['...']", "forbidden.0: holds no letter or digit, not '...'"),
        ("max_words = 'ten'", "max_words: write a whole number, not 'ten'"),
        ("max_words = 0", "max_words: write a number from 1, not 0"),
        ("[guards]\nwords = 'soft'", """guards.words: write "hard", "warn" or "off", not 'soft'"""),
        ("[kinds]\nbullets = 3", "kinds.bullets: write a table, not 3"),
        ("[guards]\nword = 'off'", 'guards: there is no guard "word", did you mean "words"?'),
        ("channel = 'amazone'", 'channel: there is no preset for "amazone", did you mean "amazon"?'),
        ("channel = 'x'", 'channel: there is no preset for "x": there are amazon, google, plain, shopify, taobao'),
        ("[kinds.bullet]", 'kinds.bullet: there is no such kind of copy, did you mean "bullets"?'),
        ("[languages.fr]", "languages.fr: there is no prompt in it: there are en, zh"),
        ("[kinds.bullets.languages.fr]", "kinds.bullets.languages.fr: there is no prompt in it: there are en, zh"),
    ],
)
def test_what_is_wrong_is_named_by_its_key_with_the_remedy(files: Files, text: str, line: str) -> None:
    assert files.wrong(text) == [line]


def test_all_that_is_wrong_is_told_at_once(files: Files) -> None:
    text = "max_words = 0\n[languages.zh]\nvoise = 'x'\n[kinds.bullets]\nrequired = 'x'"
    with pytest.raises(ConfigurationError) as error:
        files.load(text)
    first, *lines = str(error.value).splitlines()
    assert "shop.toml" in first
    assert sorted(line.split(":")[0].strip() for line in lines) == [
        "kinds.bullets.required",
        "languages.zh.voise",
        "max_words",
    ]


def test_unknown_names_are_told_beside_values_of_the_wrong_form(files: Files) -> None:
    text = "max_words = 0\nrequired = ['a', 3]\n[kinds.bulets]\ntone = 3\n[guards]\nword = 'hard'\nwords = 'no'"
    assert sorted(line.split(": ")[0] for line in files.wrong(text)) == [
        "guards", "guards.words", "kinds.bulets", "kinds.bulets.tone", "max_words", "required.1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "beginning"),
    [
        ("shop.toml", "a = ", "is not TOML: "),
        ("shop.toml", "voice = 'a'\nvoice = 'b'", "is not TOML: "),
        ("shop.yaml", "voice: a\ntone: b\nvoice: c", "is not YAML: line 3: the key 'voice' stands twice"),
        ("shop.yaml", "voice: [a\ntone: b", "is not YAML: line 2: "),
        ("shop.yaml", "voice: !!python/object/apply:os.getcwd []", "is not YAML: line 1: "),
        ("shop.yaml", "- voice", "the file: write a table, not ['voice']"),
        ("shop.yaml", "voice", "the file: write a table, not 'voice'"),
        ("shop.json", "{}", "has no name for a ruleset: let it end in .toml, .yaml or .yml"),
    ],
)
def test_what_is_no_ruleset_at_all_says_so(files: Files, name: str, text: str, beginning: str) -> None:
    (line,) = files.wrong(text, name)
    assert line.startswith(beginning)


def test_an_empty_file_asks_for_nothing(files: Files) -> None:
    assert files.wrong("", "shop.yaml") == files.wrong("", "shop.toml") == []


def test_a_file_that_cannot_be_read_says_so(files: Files) -> None:
    assert rulesets.check(files.folder / "none.toml", KNOWN) == ["cannot be read: No such file or directory"]
    (files.folder / "latin.toml").write_bytes("voice = 'café'".encode("latin-1"))
    assert rulesets.check(files.folder / "latin.toml", KNOWN) == ["is not UTF-8 at byte 12: save it as UTF-8"]


def test_facts_are_checked_where_they_are_known(files: Files) -> None:
    text = "must_say = ['material', 'Colours']\n[kinds.bullets]\nmust_say = ['Title']"
    assert files.wrong(text) == []
    known = Known(KNOWN.kinds, KNOWN.languages, KNOWN.guards, facts=("Title", "Material", "Colour"))
    assert files.wrong(text, known=known) == ['must_say: no product has a fact "Colours", did you mean "Colour"?']


def test_samples_are_texts_or_files_beside_the_ruleset(files: Files) -> None:
    files.write("One.\n---\nTwo.\n\nStill two.\n", "ours.txt")
    files.write("三。", "我们的.md")
    content = files.load(
        "samples = ['ours.txt', 'Four, in full.']\n[kinds.bullets.languages.zh]\nsamples = ['我们的.md']"
    ).content
    assert content.samples == ("One.", "Two.\n\nStill two.", "Four, in full.")
    assert content.kinds["bullets"].languages["zh"].samples == ("三。",)


def test_samples_that_are_not_there_are_named_each(files: Files) -> None:
    text = "samples = ['a.txt']\n[kinds.bullets.languages.zh]\nsamples = ['b.md']"
    assert files.wrong(text) == [
        f"samples: {files.folder / 'a.txt'} cannot be read: No such file or directory",
        f"kinds.bullets.languages.zh.samples: {files.folder / 'b.md'} cannot be read: No such file or directory",
    ]
