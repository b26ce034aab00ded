"""The database's schema, step by step; Alembic, configured in code. `upgrade` is the only way a schema comes into being."""
