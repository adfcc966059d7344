"""keep how long a reply may be.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

from earshot.database.tables import Json

revision = "0009"
down_revision = "0008"
phase = "expand"  # or "contract": what takes something away is applied after a deployment
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("source_health", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "reply_length",
                Json(),
                nullable=True,
                comment="how long a reply may be there; null: not said yet",
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("source_health", schema=None) as batch_op:
        batch_op.drop_column("reply_length")
