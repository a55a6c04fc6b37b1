"""Teams: a set that several people are drawn for, who is in it, and which portrait each has released"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "teams",
        sa.Column("id", number, nullable=False),
        sa.Column("account_id", number, nullable=False),
        sa.Column("platform", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("look", sa.String(length=80), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_teams_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("account_id", name=op.f("uq_teams_account_id")),
        sa.UniqueConstraint("code", name=op.f("uq_teams_code")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_teams_account_id"), "teams", ["account_id"])
    op.create_table(
        "team_members",
        sa.Column("id", number, nullable=False),
        sa.Column("account_id", number, nullable=False),
        sa.Column("team_id", number, nullable=False),
        sa.Column("portrait_id", number, nullable=True),
        sa.Column("joined_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_team_members_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_members_team_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["portrait_id"], ["portraits.id"], name=op.f("fk_team_members_portrait_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_members")),
        sa.UniqueConstraint("account_id", name=op.f("uq_team_members_account_id")),
        sqlite_autoincrement=True,
    )
    for column in ("account_id", "team_id", "portrait_id"):
        op.create_index(op.f(f"ix_team_members_{column}"), "team_members", [column])


def downgrade() -> None:
    op.drop_table("team_members")
    op.drop_table("teams")
