"""Presets of parameters and their revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables. What comes with the program is put into them when they are first used."""
    op.create_table(
        "parameter_presets",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("slug", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.String(255), nullable=False),
        sa.Column("runtime", sa.String(255), nullable=False),
        sa.Column("is_system", sa.Boolean(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("requires", sa.JSON(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_parameter_presets"),
        sa.UniqueConstraint("name", name="uq_parameter_presets_name"),
        sa.UniqueConstraint("slug", name="uq_parameter_presets_slug"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "preset_revisions",
        sa.Column("preset_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("preset_id", "number", name="pk_preset_revisions"),
        sa.ForeignKeyConstraint(
            ["preset_id"],
            ["parameter_presets.id"],
            name="fk_preset_revisions_preset_id",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("preset_revisions", "parameter_presets"):
        op.drop_table(table)
