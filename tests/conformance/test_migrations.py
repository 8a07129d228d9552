"""Migrations make exactly the tables the code asks for, and a database that is not ready says what to do."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from databases import Ledger, PostgreSQL, product
from reviewing import Desk

from copydesk.errors import ConfigurationError, StoreUnavailable
from copydesk.model import Telemetry
from copydesk.store import Database, drafts, products, runs
from copydesk.store.tables import metadata

PROJECT = Path(__file__).parent.parent.parent

OLD_LEDGER = """\
INSERT INTO shops VALUES (1, 'demo', '2026-03-10 02:00:00.000000');
INSERT INTO products VALUES (1, 1, 'mug', 'en',
  '{"title": "Mug", "brand": "", "category": "", "attributes": [], "language": "en"}', 'hash', 'plain', 'jsonl', '{}',
  '2026-03-10 02:00:00.000000');
INSERT INTO runs (id, shop_id, kind, run_key, state, recipe, auto_publish, queued, outcomes, created_at)
  VALUES (1, 1, 'description', 'night', 'finished', '{}', FALSE, 1, '{"ready": 1}', '2026-03-10 02:00:00.000000');
INSERT INTO chunks VALUES (1, 0, 'done', 1, '2026-03-10 02:00:00.000000');
INSERT INTO drafts (id, run_id, chunk, product_id, kind, language, state, outcome, facts_hash, recipe_hash, text,
  reasons, attempt, asks, prompt_tokens, completion_tokens, created_at)
  VALUES (1, 1, 0, 1, 'description', 'en', 'published', 'ready', 'hash', 'recipe', 'new text', '[]', 1, 1, 10, 20,
  '2026-03-10 02:00:00.000000');
INSERT INTO live_texts VALUES (1, 1, 'description', 1, FALSE, 'old text', 'imported', FALSE, NULL, NULL, 'import',
  '2026-03-10 02:00:00.000000');
INSERT INTO live_texts VALUES (2, 1, 'description', 2, TRUE, 'new text', 'draft', FALSE, 1, 1, 'ann',
  '2026-03-10 02:00:00.000000')"""
"""A published text, as the first version of the tables kept it."""


def test_migrating_an_empty_database_makes_exactly_the_tables_of_the_code(empty_url: str) -> None:
    database = Database(empty_url)
    database.migrate()

    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []
    database.close()


def test_the_one_open_draft_and_the_one_live_text_are_unique_in_the_database_itself(empty_url: str) -> None:
    """compare_metadata does not look at the condition of a partial index."""
    database = Database(empty_url)
    database.migrate()
    with database.read() as connection:
        found = {
            index["name"]: index for table in metadata.tables for index in sa.inspect(connection).get_indexes(table)
        }
    database.close()

    conditions = {
        "uq_drafts_open": ("pending", "writing"),
        "uq_drafts_reply": ("reply", "pending", "writing", "ready", "held", "approved", "published", "rejected"),
        "uq_drafts_sentiment": ("sentiment", "pending", "writing"),
        "uq_live_texts_current": ("current",),
    }
    assert all(found[name]["unique"] for name in conditions)
    for name, words in conditions.items():
        condition = next(str(value) for key, value in found[name]["dialect_options"].items() if key.endswith("_where"))
        assert all(word in condition for word in words)


def test_a_database_of_the_version_before_is_brought_up_to_date_with_all_it_holds(empty_url: str) -> None:
    """SQLite rebuilds the drafts, to which live texts point."""
    database = Database(empty_url)
    config = database._alembic()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in OLD_LEDGER.split(";\n"):
            connection.exec_driver_sql(statement)

    database.migrate()
    database.check()

    with database.read() as connection:
        run = runs.find(connection, 1)
        (draft,) = drafts.listed(connection)
        assert (run.lane, run.kind, run.outcomes) == ("catalog", "description", {"ready": 1})
        assert (draft.sku, draft.text, draft.state.value) == ("mug", "new text", "published")
        assert runs.detail(connection, 1).telemetry == Telemetry()
        assert connection.execute(sa.text("SELECT draft_id FROM live_texts WHERE version = 2")).scalar() == 1
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:  # the foreign keys are kept again
        connection.exec_driver_sql("UPDATE live_texts SET draft_id = 99")
    database.close()


def test_the_way_back_takes_reviews_and_their_drafts_along_and_leaves_the_products(empty_url: str) -> None:
    """And forward once more: SQLite rebuilds the drafts both ways."""
    database = Database(empty_url)
    database.migrate()
    desk = Desk(database)
    desk.take_in(product())
    desk.write(desk.plan().run)
    desk.approved_reply(number=1)
    desk.hand_over()
    config = database._alembic()
    with database._transaction(writes=True, rebuilds=True) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        left = sa.inspect(connection).get_table_names()
        assert not {"reviews", "submissions"}.intersection(left)
        assert connection.exec_driver_sql("SELECT DISTINCT kind FROM drafts").all() == [("description",)]
        assert connection.exec_driver_sql("SELECT DISTINCT kind FROM runs").all() == [("description",)]

    database.migrate()

    assert desk.states() == ["ready"]
    assert desk.replies() == []
    desk.approved_reply(number=1)
    assert desk.reply_states() == ["approved"]
    database.close()


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    database = Database(empty_url)
    database.migrate()
    ledger = Ledger(database)
    ledger.take_in(product())

    database.migrate()
    database.check()

    assert ledger.live() == "<p>old 1</p>"
    database.close()


def test_two_deployments_that_migrate_at_once_both_succeed(empty_url: str) -> None:
    program = "import sys; from copydesk.store import Database; Database(sys.argv[1]).migrate()"
    both = [
        subprocess.Popen([sys.executable, "-c", program, empty_url], cwd=PROJECT, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=60)[1].decode() for one in both]

    assert [one.returncode for one in both] == [0, 0], said
    database = Database(empty_url)
    database.check()
    database.close()


def test_a_database_that_was_not_migrated_names_the_remedy(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(StoreUnavailable, match=r"at schema none.*run `copydesk migrate`"):
        database.check()
    with pytest.raises(StoreUnavailable, match="has no Copydesk tables: run `copydesk migrate`"), database.read() as c:
        products.find_shop(c, "demo")
    database.close()


def test_a_database_of_another_version_names_the_remedy(empty_url: str) -> None:
    database = Database(empty_url)
    database.migrate()
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))

    with pytest.raises(StoreUnavailable, match=r"at schema 0000.*run `copydesk migrate`"):
        database.check()
    database.close()


def test_a_write_that_fails_leaves_nothing(ledger: Ledger) -> None:
    def fail_halfway() -> None:
        with ledger.database.write() as connection:
            products.take_in(connection, ledger.shop_id, [product()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert ledger.live() is None


def test_a_server_that_refuses_is_named_without_the_password(postgresql: PostgreSQL) -> None:
    url = postgresql.create().replace("postgres:@", "nobody:hunter2@")
    database = Database(url)
    with pytest.raises(StoreUnavailable, match="COPYDESK_DATABASE_URL") as refused:
        database.check()
    database.close()

    assert "hunter2" not in str(refused.value)
    assert "nobody" in str(refused.value)


def test_a_server_that_is_gone_is_named_without_the_password(tmp_path: Path) -> None:
    database = Database(f"postgresql://copydesk:hunter2@/copydesk?host={tmp_path}")
    for ask in (database.check, database.migrate):
        with pytest.raises(StoreUnavailable, match="is the database up") as refused:
            ask()
        assert "hunter2" not in str(refused.value)
    assert "hunter2" not in str(database)
    database.close()


def test_a_connection_lost_between_two_transactions_is_made_anew(postgresql_database: Database) -> None:
    with postgresql_database.read() as connection:
        killed = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    other = Database(postgresql_database.url.render_as_string(hide_password=False))
    with other.write() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({killed})")
    other.close()

    postgresql_database.check()


def test_a_connection_lost_midway_is_a_store_that_is_unavailable(postgresql_database: Database) -> None:
    def lose_it() -> None:
        with postgresql_database.write() as connection:
            killed = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            other = Database(postgresql_database.url.render_as_string(hide_password=False))
            with other.write() as second:
                second.exec_driver_sql(f"SELECT pg_terminate_backend({killed})")
            other.close()
            products.add_shop(connection, "demo")

    with pytest.raises(StoreUnavailable, match="is the database up"):
        lose_it()
    postgresql_database.check()


def test_a_deadlock_is_not_called_a_database_that_is_down(postgresql_database: Database) -> None:
    """The remedy would send an operator after a server that is well."""

    def fail() -> None:
        with postgresql_database.write():
            raise sa.exc.OperationalError("UPDATE", {}, psycopg.errors.DeadlockDetected("deadlock detected"))

    with pytest.raises(StoreUnavailable) as refused:
        fail()
    assert "is the database up" not in str(refused.value)


@pytest.mark.parametrize("place", ["file/copydesk.db", "folder"])
def test_a_path_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder").mkdir()

    with pytest.raises((StoreUnavailable, ConfigurationError), match="COPYDESK_DATA") as refused:
        Database(f"sqlite:///{tmp_path / place}").migrate()
    assert place in str(refused.value)


def test_a_file_that_is_no_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "copydesk.db").write_text("Dear diary, " * 1000)

    with pytest.raises((StoreUnavailable, ConfigurationError), match="COPYDESK_DATA"):
        Database(f"sqlite:///{tmp_path / 'copydesk.db'}").check()
