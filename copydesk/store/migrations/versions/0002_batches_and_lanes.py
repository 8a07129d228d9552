"""batches and lanes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "batch_requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("custom_id", sa.Text(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_batch_requests_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_requests")),
        sa.UniqueConstraint("run_id", "number", name=op.f("uq_batch_requests_run_id_number")),
    )
    op.add_column("runs", sa.Column("lane", sa.Text(), nullable=False, server_default="catalog"))
    op.add_column(
        "chunks", sa.Column("telemetry", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
    )
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.alter_column(
            "product_id", existing_type=sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        )
        batch_op.add_column(
            sa.Column("batch_request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("choices", sa.JSON(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_drafts_batch_request_id"), "batch_requests", ["batch_request_id"], ["id"]
        )
        batch_op.create_index(batch_op.f("ix_drafts_batch_request_id"), ["batch_request_id"], unique=True)


def downgrade() -> None:
    # What product_id may not be null for goes, and with it the runs that asked for it.
    op.execute("DELETE FROM drafts WHERE kind = 'batch'")
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drafts_batch_request_id"))
        batch_op.drop_constraint(batch_op.f("fk_drafts_batch_request_id"), type_="foreignkey")
        batch_op.drop_column("choices")
        batch_op.drop_column("batch_request_id")
        batch_op.alter_column(
            "product_id", existing_type=sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        )
    op.drop_table("batch_requests")
    op.execute("DELETE FROM chunks WHERE run_id IN (SELECT id FROM runs WHERE kind = 'batch')")
    op.execute("DELETE FROM runs WHERE kind = 'batch'")
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.drop_column("telemetry")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("lane")
