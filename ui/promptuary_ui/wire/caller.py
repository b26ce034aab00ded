"""The caller as `GET /v1/self` answers it; mirrors `CallerOut` of the server."""

from promptuary_ui.wire.base import ApiModel


class Caller(ApiModel):
    """The caller to whom a key belongs, with its role and scopes."""

    project: str
    actor: str
    actor_id: str = ""
    role: str
    scopes: frozenset[str]

    @property
    def name(self) -> str:
        """The key's name as people know it."""
        return self.actor.removeprefix("key:")
