"""Settings: the environment over the file, what is wrong or unknown refused by name, secrets not echoed."""

import traceback
from pathlib import Path

import pytest

from copydesk import settings
from copydesk.errors import ConfigurationError
from copydesk.settings import EMBEDDED_BROKER, Sampling, Settings, Shop


@pytest.fixture
def write_file(tmp_path: Path) -> "WriteFile":
    return WriteFile(tmp_path / "copydesk.toml")


class WriteFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")


def refused() -> str:
    with pytest.raises(ConfigurationError) as error:
        settings.load()
    return str(error.value)


def test_without_anything_the_defaults_keep_all_in_one_folder(tmp_path: Path) -> None:
    found = settings.load()
    assert found.database == f"sqlite:///{tmp_path / 'var' / 'copydesk.db'}"
    assert found.models == tmp_path / "var" / "models"
    assert found.broker_url == EMBEDDED_BROKER
    assert found.shop("any") == Shop(voice="", auto_publish=False)


def test_nothing_is_published_by_rule_unless_a_shop_says_so(write_file: WriteFile) -> None:
    write_file("[shops.loud]\nauto_publish = true\n[shops.quiet]\nvoice = 'Dry.'")
    found = settings.load()
    assert [found.shop(name).auto_publish for name in ("loud", "quiet", "unknown")] == [True, False, False]


def test_the_environment_wins_over_the_file(write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file("chunk_size = 7\nmax_asks = 5")
    monkeypatch.setenv("COPYDESK_CHUNK_SIZE", "9")
    found = settings.load()
    assert (found.chunk_size, found.max_asks) == (9, 5)


def test_one_nested_value_in_the_environment_leaves_its_neighbours_in_the_file(
    write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file("[sampling]\ntemperature = 0.3\ntop_p = 0.8")
    monkeypatch.setenv("COPYDESK_SAMPLING__TEMPERATURE", "0.7")
    assert settings.load().sampling == Sampling(temperature=0.7, top_p=0.8)


def test_a_shop_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYDESK_SHOPS__DEMO__VOICE", "Dry.")
    assert settings.load().shop("demo").voice == "Dry."


def test_a_file_elsewhere_is_read_when_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text("chunk_size = 3")
    monkeypatch.setenv("COPYDESK_CONFIG", str(tmp_path / "other.toml"))
    assert settings.load().chunk_size == 3


def test_a_named_file_that_is_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYDESK_CONFIG", str(tmp_path / "none.toml"))
    assert "none.toml" in refused()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("chunksize = 3", "chunksize"),
        ("[sampling]\ntemperatur = 0.3", "sampling.temperatur"),
        ("[rules]\nmin_word = 3", "rules.min_word"),
        ("[shops.demo]\nautopublish = true", "shops.demo.autopublish"),
        ("[nightly]\nchron = '* * * * *'", "nightly.chron"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused_by_name(write_file: WriteFile, text: str, name: str) -> None:
    write_file(text)
    assert name in refused()


@pytest.mark.parametrize("name", ["COPYDESK_SAMPLING__TEMPERATUR", "COPYDESK_SHOPS__DEMO__AUTOPUBLISH"])
def test_an_unknown_nested_name_in_the_environment_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert name.rsplit("__", maxsplit=1)[-1].lower() in refused()


def test_an_unknown_name_in_the_environment_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """COPYDESK_DATABSE_URL would leave a shop's night on a SQLite file that nobody looks into."""
    monkeypatch.setenv("COPYDESK_DATABSE_URL", "postgresql://copydesk:hunter2@db/copydesk")
    said = refused()
    assert "databse_url" in said.lower()
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHUNK_SIZE", "0"),
        ("CHUNK_SIZE", "1025"),
        ("CHUNK_SIZE", "many"),
        ("CANDIDATES", "17"),
        ("ENGINE", "magic"),
        ("SAMPLING__TEMPERATURE", "-1"),
        ("SAMPLING__TOP_P", "0"),
        ("LEASE_SECONDS", "0"),
        ("RULES__MAX_WORDS", "0"),
    ],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"COPYDESK_{name}", value)
    assert name.lower().replace("__", ".") in refused()


def test_every_wrong_value_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYDESK_CHUNK_SIZE", "0")
    monkeypatch.setenv("COPYDESK_ENGINE", "magic")
    said = refused()
    assert "chunk_size" in said
    assert "engine" in said


@pytest.mark.parametrize("name", ["SAMPLING", "SHOPS", "NIGHTLY__SHOPS"])
def test_a_section_that_is_not_json_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"COPYDESK_{name}", "demo, other")
    assert name.split("__", maxsplit=1)[0].lower() in refused().lower()


def test_one_name_in_the_place_of_a_list_is_refused_with_the_remedy(write_file: WriteFile) -> None:
    write_file('[shops.acme]\nrules = "rules.toml"\n')
    assert "shops.acme.rules: write a list, as in" in refused()


def test_a_file_that_is_no_toml_is_refused_by_name(write_file: WriteFile) -> None:
    write_file("chunk_size = = 3")
    assert "copydesk.toml" in refused()


def test_an_unknown_section_is_refused_without_its_secrets(write_file: WriteFile) -> None:
    write_file("[database]\nurl = 'postgresql://copydesk:hunter2@db/copydesk'")
    assert "hunter2" not in refused()


def test_a_wrong_secret_is_not_echoed(write_file: WriteFile) -> None:
    write_file("database_url = ['postgresql://copydesk:hunter2@db/copydesk']\nbroker_url = {password = 'hunter2'}")
    said = refused()
    assert "database_url" in said
    assert "broker_url" in said
    assert "hunter2" not in said


def test_a_log_of_the_refusal_does_not_hold_the_secret(write_file: WriteFile) -> None:
    """A worker's traceback ends in the log: the cause must not echo what the message left out."""
    write_file("broker_url = {password = 'hunter2'}")
    with pytest.raises(ConfigurationError) as error:
        settings.load()
    assert "hunter2" not in "".join(traceback.format_exception(error.value))


def test_settings_in_a_log_do_not_hold_the_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYDESK_DATABASE_URL", "postgresql://copydesk:hunter2@db/copydesk")
    monkeypatch.setenv("COPYDESK_BROKER_URL", "redis://:hunter3@broker/0")
    found = settings.load()
    assert "hunter" not in f"{found!r} {found}"


def test_settings_are_read_once_and_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings.load()
    monkeypatch.setenv("COPYDESK_CHUNK_SIZE", "9")
    assert settings.load() is found
    with pytest.raises(ValueError, match="frozen"):
        found.chunk_size = 3
    assert Settings().chunk_size == 9


def test_the_example_settings_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[2] / "examples" / "copydesk.toml"
    monkeypatch.setenv("COPYDESK_CONFIG", str(example))
    assert settings.load().shop("myshop").replies.person == ("recall",)
