"""What a task came to, as a column of its own: to take it out of each result of a list meant to read all of them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the column, and fill it from the results that there are."""
    op.add_column("tasks", sa.Column("outcome", sa.JSON()))
    connection = op.get_bind()
    tasks = sa.table(
        "tasks",
        sa.column("id", KEY),
        sa.column("result", sa.JSON(none_as_null=True)),
        sa.column("outcome", sa.JSON(none_as_null=True)),
    )
    for task_id in connection.execute(sa.select(tasks.c.id).where(tasks.c.result.is_not(None))).scalars().all():
        result = connection.execute(sa.select(tasks.c.result).where(tasks.c.id == task_id)).scalar_one()
        connection.execute(sa.update(tasks).where(tasks.c.id == task_id).values(outcome=_outcome(result)))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("tasks", "outcome")


def _outcome(result: dict[str, Any]) -> dict[str, Any] | None:
    """None for a result that an early version wrote in another way."""
    if not isinstance(result.get("unit"), str) or result.get("direction") not in {"minimize", "maximize"}:
        return None
    gain = result.get("gain") or {}
    return {
        "verdict": result.get("verdict"),
        "unit": result["unit"],
        "direction": result["direction"],
        "predicted": result.get("predicted") or False,
        "gain": gain.get("gain"),
        "gain_low": gain.get("low"),
        "gain_high": gain.get("high"),
        "significant": gain.get("significant"),
    }
