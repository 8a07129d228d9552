"""`copydesk rules check`, `show` and `learn`, as a merchandiser uses them; the examples of the project work."""

import json
from pathlib import Path

import pytest
from databases import Ledger, product
from typer.testing import CliRunner, Result

from copydesk import settings
from copydesk.jobs import recipes
from copydesk.settings import Settings, Shop
from copydesk.store import Database
from producer.cli import app

EXAMPLES = Path(__file__).parents[3] / "examples"


def run(*arguments: str) -> Result:
    settings.load.cache_clear()
    return CliRunner().invoke(app, ["rules", *arguments])


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_check_tells_everything_that_is_wrong_with_every_file(tmp_path: Path) -> None:
    first = write(tmp_path / "a.toml", "max_bulets = 3\nrequired = 'x'")
    good = write(tmp_path / "b.yaml", "tone: dry")
    last = write(tmp_path / "c.toml", "min_words = 99")

    result = run("check", first, good, last)

    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"""{first}: required: write a list, as in ["one", "two"], not 'x'""",
        f'{first}: max_bulets: there is no such rule, did you mean "max_bullets"?',
        f"{last}: min_words = 99 ({last}) is over max_words = 80 (default): set both",
    ]
    assert result.stdout.splitlines() == [f"{good}: can be used"]


def test_check_ends_well_where_nothing_is_wrong(tmp_path: Path) -> None:
    assert run("check", write(tmp_path / "b.yaml", "tone: dry")).exit_code == 0


def test_check_knows_the_facts_of_a_shops_products(tmp_path: Path, sqlite_database: Database) -> None:
    Ledger(sqlite_database).take_in(product())
    write(tmp_path / "copydesk.toml", f"database_url = '{sqlite_database.url}'")
    file = write(tmp_path / "a.toml", "must_say = ['colour', 'Material']")

    result = run("check", file, "--shop", "demo")

    assert (result.exit_code, result.stderr.splitlines()) == (
        2,
        [f'{file}: must_say: no product has a fact "Material": there are Brand, Category, Colour, Title'],
    )


def test_show_tells_each_value_and_where_it_comes_from(tmp_path: Path) -> None:
    write(tmp_path / "shop.toml", "forbidden = ['cheap']\n[kinds.bullets]\nchannel = 'amazon'")
    write(tmp_path / "copydesk.toml", "[shops.myshop]\nrules = ['shop.toml']\nvoice = 'Dry.'\n[rules]\nmax_words = 61")

    shown = json.loads(run("show", "--shop", "myshop", "--kind", "bullets", "--language", "en", "--json").stdout)["en"]

    assert shown["forbidden"] == {"value": ["cheap"], "from": ["shop.toml"]}
    assert shown["max_bullet_characters"] == {"value": 255, "from": ["channel amazon [kinds.bullets]"]}
    assert shown["voice"] == {"value": "Dry.", "from": ["copydesk.toml [shops.myshop]"]}
    table = run("show", "--shop", "myshop", "--language", "zh").stdout
    assert "cheap" in table
    assert "min_chars_zh" in table
    assert "max_words" not in table


def test_show_of_a_broken_file_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    write(tmp_path / "shop.toml", "max_bulets = 3")
    write(tmp_path / "copydesk.toml", "[shops.myshop]\nrules = ['shop.toml', 'none.toml']")
    result = run("show", "--shop", "myshop")
    assert "max_bulets" in str(result.exception)


def test_learn_writes_a_ruleset_that_can_be_used(tmp_path: Path) -> None:
    texts = write(
        tmp_path / "ours.txt", 'We cut it for you. It\'s "light".\n---\nWe made it for you.\n---\n我们为您做的，轻便。'
    )
    out = tmp_path / "learned.toml"

    assert run("learn", texts, "--out", str(out)).exit_code == 0

    assert run("check", str(out)).exit_code == 0
    assert run("learn", texts).stdout == out.read_text(encoding="utf-8")
    found = recipes.rules_for(Settings(shops={"demo": Shop(rules=(out,))}), "demo", "description", "en")
    assert '"we" to "you"' in found.voice
    assert (found.min_words, found.max_words) == (5, 10)


def test_learn_reads_the_descriptions_that_no_model_wrote(tmp_path: Path, sqlite_database: Database) -> None:
    ledger = Ledger(sqlite_database)
    ledger.take_in(product(1, description="<p>Our mug is made for you.</p>"), product(2, description=""))
    write(tmp_path / "copydesk.toml", f"database_url = '{sqlite_database.url}'")
    learned = run("learn", "--shop", "demo").stdout
    assert "# From 1 texts." in learned
    assert "<p>" not in learned


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "nothing to learn from"),
        (("none.txt",), "cannot be read"),
        (("ours.txt", "--kind", "descriptions"), "no kind of copy"),
        (("ours.txt", "--out", "no/such/folder.toml"), "cannot be written"),
    ],
)
def test_learn_says_what_it_cannot_do(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    write(tmp_path / "ours.txt", "We cut it for you.")
    result = run("learn", *arguments)
    assert told in str(result.exception)


@pytest.mark.parametrize("name", ["rules.toml", "rules.zh.toml"])
def test_the_examples_can_be_used(name: str) -> None:
    assert recipes.what_is_wrong(Settings(), EXAMPLES / name) == []


def test_the_examples_ask_for_what_they_say() -> None:
    english, chinese = (
        Settings(shops={"demo": Shop(rules=(EXAMPLES / name,))}) for name in ("rules.toml", "rules.zh.toml")
    )
    found = recipes.rules_for(english, "demo", "seo_title", "en")
    assert (found.channel, found.max_characters) == ("shopify", 70)
    assert recipes.rules_for(english, "demo", "bullets", "zh").channel == "amazon"
    found = recipes.rules_for(chinese, "demo", "description", "zh")
    assert (found.channel, found.tone, found.guards["law.cn"]) == ("taobao", "亲切", "hard")
    assert found.must_say == ("材质", "容量")
