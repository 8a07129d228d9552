"""A database URL is understood or refused with the remedy, never echoed with its password."""

from pathlib import Path

import pytest

from copydesk.errors import ConfigurationError
from copydesk.store import Database


@pytest.mark.parametrize(
    "url",
    [
        "nonsense hunter2",
        "mysql://copydesk:hunter2@db/copydesk",
        "postgres://copydesk:hunter2@db/copydesk",
        "postgresql://copydesk:hunter2@db:port/copydesk",
        "postgresql+psycopg2://copydesk:hunter2@db/copydesk",
        "postgresql+asyncpg://copydesk:hunter2@db/copydesk",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"COPYDESK_DATABASE_URL.*postgresql") as refused:
        Database(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
def test_either_name_of_postgresql_opens_psycopg_and_hides_the_password(driver: str) -> None:
    database = Database(f"{driver}://copydesk:hunter2@db/copydesk")
    assert str(database) == "postgresql+psycopg://copydesk:***@db/copydesk"
    database.close()


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a' / 'b' / 'copydesk.db'}")
    database.migrate()
    database.close()
    assert (tmp_path / "a" / "b" / "copydesk.db").is_file()


def test_sqlite_keeps_references_and_a_write_ahead_log(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
