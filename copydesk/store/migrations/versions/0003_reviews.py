"""reviews, the replies to them, and what became of these."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

KEPT = sa.text("forgotten_at IS NULL")
DUE = sa.text("state = 'waiting'")
REPLY = sa.text(
    "kind = 'reply' AND state IN "
    "('approved', 'held', 'ignored', 'pending', 'published', 'ready', 'rejected', 'writing')"
)
SENTIMENT = sa.text("kind = 'sentiment' AND state IN ('pending', 'writing')")


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", ID, nullable=False),
        sa.Column("shop_id", ID, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("review_id", sa.Text(), nullable=False),
        sa.Column("product_id", ID, nullable=True),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("reviewer_name", sa.Text(), nullable=False),
        sa.Column("reviewer_email", sa.Text(), nullable=False),
        sa.Column("reviewer_id", sa.Text(), nullable=False),
        sa.Column("source", JSON, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("platform_reply", sa.Text(), nullable=False),
        sa.Column("answered_version", sa.Integer(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("sentiment", sa.Text(), nullable=False),
        sa.Column("probabilities", JSON, nullable=False),
        sa.Column("sentiment_by", sa.Text(), nullable=False),
        sa.Column("disagrees", sa.Boolean(), nullable=False),
        sa.Column("opinions", JSON, nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_reviews_product_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_reviews_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("shop_id", "platform", "review_id", name=op.f("uq_reviews_shop_id_platform_review_id")),
    )
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reviews_product_id"), ["product_id"], unique=False)
        batch_op.create_index(
            "ix_reviews_kept", ["imported_at"], unique=False, sqlite_where=KEPT, postgresql_where=KEPT
        )

    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("review_id", ID, nullable=True))
        batch_op.add_column(sa.Column("review_version", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_drafts_review_id"), "reviews", ["review_id"], ["id"])
        batch_op.create_index(
            batch_op.f("ix_drafts_review_id_review_version"), ["review_id", "review_version"], unique=False
        )
        for name, condition in (("uq_drafts_reply", REPLY), ("uq_drafts_sentiment", SENTIMENT)):
            batch_op.create_index(
                name, ["review_id", "review_version"], unique=True, sqlite_where=condition, postgresql_where=condition
            )

    op.create_table(
        "submissions",
        sa.Column("id", ID, nullable=False),
        sa.Column("draft_id", ID, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["draft_id"], ["drafts.id"], name=op.f("fk_submissions_draft_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint("draft_id", name=op.f("uq_submissions_draft_id")),
    )
    with op.batch_alter_table("submissions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_submissions_due", ["next_attempt_at"], unique=False, sqlite_where=DUE, postgresql_where=DUE
        )


def downgrade() -> None:
    # Drafts without a product or a request would remain, and runs that nobody here can write.
    op.drop_table("submissions")
    op.execute("DELETE FROM drafts WHERE kind IN ('reply', 'sentiment')")
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        for name, condition in (("uq_drafts_sentiment", SENTIMENT), ("uq_drafts_reply", REPLY)):
            batch_op.drop_index(name, sqlite_where=condition, postgresql_where=condition)
        batch_op.drop_index(batch_op.f("ix_drafts_review_id_review_version"))
        batch_op.drop_constraint(batch_op.f("fk_drafts_review_id"), type_="foreignkey")
        batch_op.drop_column("review_version")
        batch_op.drop_column("review_id")
    op.drop_table("reviews")
    op.execute("DELETE FROM chunks WHERE run_id IN (SELECT id FROM runs WHERE kind IN ('reply', 'sentiment'))")
    op.execute("DELETE FROM runs WHERE kind IN ('reply', 'sentiment')")
