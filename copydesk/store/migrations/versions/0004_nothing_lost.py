"""runs that are paused, cancelled and limited; retries that wait; fewer indexes for a draft to be written into."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True)
OPEN = sa.text("state IN ('pending', 'writing')")
NOT_ENDED = sa.text("finished_at IS NULL")
RUNNING = sa.text("state = 'running'")

SPENT = """
UPDATE runs SET
    prompt_tokens = COALESCE((SELECT SUM(prompt_tokens) FROM drafts WHERE drafts.run_id = runs.id), 0),
    completion_tokens = COALESCE((SELECT SUM(completion_tokens) FROM drafts WHERE drafts.run_id = runs.id), 0)
"""
LAST = """
UPDATE chunks SET settled_at = (
    SELECT MAX(settled_at) FROM drafts WHERE drafts.run_id = chunks.run_id AND drafts.chunk = chunks.number
)
"""


def upgrade() -> None:
    for column in (
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("max_tokens", sa.BigInteger(), nullable=True),
        sa.Column("max_minutes", sa.Integer(), nullable=True),
        sa.Column("stopped_because", sa.Text(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
    ):
        op.add_column("runs", column)
    for name in ("next_attempt_at", "settled_at"):
        op.add_column("chunks", sa.Column(name, MOMENT, nullable=True))
    op.add_column("drafts", sa.Column("next_attempt_at", MOMENT, nullable=True))
    op.add_column("drafts", sa.Column("alone", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(SPENT)
    op.execute(LAST)
    op.drop_index("ix_runs_running", "runs")
    _partial("ix_runs_open", "runs", ["id"], NOT_ENDED)
    for name in (
        "ix_drafts_run_id_chunk_state",
        "ix_drafts_run_id_state",
        "ix_drafts_product_id_kind_recipe_hash",
        "ix_drafts_batch_request_id",
        "ix_drafts_review_id_review_version",
    ):
        op.drop_index(name, "drafts")
    op.create_index("ix_drafts_run_id_state_outcome", "drafts", ["run_id", "state", "outcome"])
    _partial("ix_drafts_open_of_chunk", "drafts", ["run_id", "chunk", "state"], OPEN)
    _partial("ix_live_texts_draft_id", "live_texts", ["draft_id"], sa.text("draft_id IS NOT NULL"))
    for columns in (["product_id", "kind"], ["batch_request_id"], ["review_id"]):
        given = sa.text(f"{columns[0]} IS NOT NULL")
        _partial(f"ix_drafts_{'_'.join(columns)}", "drafts", columns, given, unique=columns == ["batch_request_id"])


def downgrade() -> None:
    # What nobody here knows: a cancelled draft is one that failed, a paused or cancelled run goes on or has ended.
    op.execute("UPDATE drafts SET state = 'failed', outcome = 'failed' WHERE state = 'cancelled'")
    op.execute("UPDATE runs SET state = CASE WHEN finished_at IS NULL THEN 'running' ELSE 'finished' END")
    for name in (
        "ix_drafts_run_id_state_outcome",
        "ix_drafts_open_of_chunk",
        "ix_drafts_product_id_kind",
        "ix_drafts_batch_request_id",
        "ix_drafts_review_id",
    ):
        op.drop_index(name, "drafts")
    op.create_index("ix_drafts_run_id_chunk_state", "drafts", ["run_id", "chunk", "state"])
    op.create_index("ix_drafts_run_id_state", "drafts", ["run_id", "state"])
    op.create_index("ix_drafts_product_id_kind_recipe_hash", "drafts", ["product_id", "kind", "recipe_hash"])
    op.create_index("ix_drafts_batch_request_id", "drafts", ["batch_request_id"], unique=True)
    op.create_index("ix_drafts_review_id_review_version", "drafts", ["review_id", "review_version"])
    op.drop_index("ix_live_texts_draft_id", "live_texts")
    op.drop_index("ix_runs_open", "runs")
    _partial("ix_runs_running", "runs", ["id"], RUNNING)
    op.drop_column("drafts", "next_attempt_at")
    op.drop_column("drafts", "alone")
    for name in ("next_attempt_at", "settled_at"):
        op.drop_column("chunks", name)
    for name in ("prompt_tokens", "completion_tokens", "max_tokens", "max_minutes", "stopped_because", "trouble"):
        op.drop_column("runs", name)


def _partial(name: str, table: str, columns: list[str], where: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
