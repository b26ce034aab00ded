"""The caller as `GET /v1/self` answers it; mirrors `CallerOut` of the server."""

from promptuary_ui.wire.base import ApiModel


class Caller(ApiModel):
    """Who a key belongs to, and what it may do."""

    project: str
    actor: str
    role: str
    scopes: frozenset[str]

    @property
    def name(self) -> str:
        """The key's name as people know it."""
        return self.actor.removeprefix("key:")
