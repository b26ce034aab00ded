"""Who may do what: projects, API keys, roles with their scopes, and the audit chain to which every change is written."""
