"""People, their memberships in projects, and who they are at identity providers."""
