"""Sign-in: the page, its routes, and the cookie that keeps a session's token."""
