"""What the quality guard found of an attempt's answers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("attempts", sa.Column("answers", sa.JSON()))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("attempts", "answers")
