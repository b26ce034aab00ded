"""Who may do what: projects, API keys, roles and their scopes, and the audit chain that every change writes to."""
