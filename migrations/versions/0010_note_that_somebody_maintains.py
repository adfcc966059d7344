"""note that somebody maintains.

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

from earshot.database.tables import Utc

revision = "0010"
down_revision = "0009"
phase = "expand"  # or "contract": what takes something away is applied after a deployment
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maintenance",
        sa.Column("id", sa.Integer(), nullable=False, comment="always 1"),
        sa.Column("done_at", Utc(), nullable=False, comment="noted once a minute, by any of them"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance")),
    )


def downgrade() -> None:
    op.drop_table("maintenance")
