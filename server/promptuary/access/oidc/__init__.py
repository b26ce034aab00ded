"""Sign-in of people with an identity provider: OpenID Connect, Authorization Code with PKCE."""
