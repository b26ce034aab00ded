"""The migrations of the database's schema, run by Alembic, which is configured in code. Only `upgrade` changes a schema."""
