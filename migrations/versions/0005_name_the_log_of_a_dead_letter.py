"""name the log of a dead letter.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
phase = "expand"  # or "contract": what takes something away is applied after a deployment
branch_labels = None
depends_on = None


def upgrade() -> None:
    # It expands: the version before inserts "on conflict do nothing" without saying on what, and
    # gives no topic_id, so the wider constraint holds its rows to what the narrower did.
    with op.batch_alter_table("dead_letter", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "topic_id",
                sa.String(),
                server_default="",
                nullable=False,
                comment="which log's, whose offsets count by themselves; empty: unknown",
            )
        )
        batch_op.drop_constraint(
            batch_op.f("uq_dead_letter_topic_partition_offset"), type_="unique"
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_dead_letter_topic_partition_offset_topic_id"),
            ["topic", "partition", "offset", "topic_id"],
        )


def downgrade() -> None:
    # Refused by the database where two logs have a letter of one place: neither is thrown away.
    with op.batch_alter_table("dead_letter", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("uq_dead_letter_topic_partition_offset_topic_id"), type_="unique"
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_dead_letter_topic_partition_offset"), ["topic", "partition", "offset"]
        )
        batch_op.drop_column("topic_id")
