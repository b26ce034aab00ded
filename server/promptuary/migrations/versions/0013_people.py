"""People with their memberships, sessions and sign-in codes; keys belong to a person or a service, with grants."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

TIMESTAMP = sa.DateTime(timezone=True)
PIPELINE_GRANTS = "context:write dataset:write schedule:write suite:write"
APPLICATION_GRANTS = "context:read prompt:read"


def upgrade() -> None:
    """Add the tables, and write out what the existing keys were allowed beyond their role of today.

    A row of an earlier release names a key by its display name. It belongs to the one key of the project with that name, and
    to nobody where two keys have it.
    """
    _create_people()
    op.execute("ALTER TABLE api_key ADD COLUMN person_id VARCHAR REFERENCES person (id)")
    op.create_index("ix_api_key_person_id", "api_key", ["person_id"], unique=False)
    op.add_column("api_key", sa.Column("grants", sa.String(), nullable=True))
    op.add_column("api_key", sa.Column("former_identity", sa.String(), nullable=True))
    for role, grants in (("ci", PIPELINE_GRANTS), ("reader", APPLICATION_GRANTS)):
        op.execute(f"UPDATE api_key SET grants = '{grants}' WHERE role = '{role}'")
    op.execute(
        "UPDATE api_key SET former_identity = 'key:' || name WHERE (SELECT count(*) FROM api_key AS other "
        "WHERE other.project_id = api_key.project_id AND other.name = api_key.name) = 1"
    )
    _create_sessions()


def _create_people() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("folded_name", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("deactivated_at", TIMESTAMP, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("folded_name"),
    )
    op.create_table(
        "membership",
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("person_id", "project_id"),
    )
    op.create_index("ix_membership_project_id", "membership", ["project_id"], unique=False)
    op.create_table(
        "external_identity",
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("issuer", "subject"),
    )
    op.create_index("ix_external_identity_person_id", "external_identity", ["person_id"], unique=False)


def _create_sessions() -> None:
    op.create_table(
        "sign_in_session",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("last_used_at", TIMESTAMP, nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.Column("revoked_at", TIMESTAMP, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "sign_in_code",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("used_at", TIMESTAMP, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for table in ("sign_in_session", "sign_in_code"):
        for column in ("person_id", "project_id"):
            op.create_index(f"ix_{table}_{column}", table, [column], unique=False)
