"""texts compared over a catalog before their run ends, how long each took, and approval by two persons."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for name in ("comparing_until", "compared_at"):
        op.add_column("runs", sa.Column(name, MOMENT, nullable=True))
    # What has ended is not compared any more.
    op.execute("UPDATE runs SET compared_at = finished_at WHERE finished_at IS NOT NULL")
    for column in (
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("resampled", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("first_approved_by", sa.Text(), nullable=True),
    ):
        op.add_column("drafts", column)
    few = sa.text("resampled > 0")
    op.create_index("ix_drafts_resampled", "drafts", ["run_id"], sqlite_where=few, postgresql_where=few)


def downgrade() -> None:
    op.drop_index("ix_drafts_resampled", "drafts")
    for name in ("seconds", "resampled", "first_approved_by"):
        op.drop_column("drafts", name)
    for name in ("comparing_until", "compared_at"):
        op.drop_column("runs", name)
