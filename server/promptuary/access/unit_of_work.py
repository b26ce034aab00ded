"""The caller of a request, and the unit of work that is done for it."""

from dataclasses import dataclass
from datetime import datetime

from promptuary.access.role import SCOPES, Role, Scope
from promptuary.core.clock import Clock
from promptuary.core.database import Session
from promptuary.core.errors import Forbidden
from promptuary.core.settings import Settings


@dataclass(frozen=True)
class Caller:
    """On whose behalf something is done, inside one project; `key_id` is None for the local operator and for schedules."""

    project: int
    project_name: str
    actor: str
    role: Role
    expires_at: datetime | None = None
    key_id: str | None = None

    def has(self, scope: Scope) -> bool:
        """Return whether the caller's role has a scope."""
        return scope in SCOPES[self.role]

    def require(self, scope: Scope) -> None:
        """Check that the caller's role has a scope.

        Raises:
            Forbidden: naming the scope and the role.
        """
        if not self.has(scope):
            raise Forbidden(f"a key with the role '{self.role}' may not do this; it needs the scope '{scope}'")


@dataclass(frozen=True)
class UnitOfWork:
    """One transaction with its caller; it is committed when the request has succeeded."""

    session: Session
    caller: Caller
    clock: Clock
    settings: Settings
