"""Who asks, and the unit of work in which the asking is done."""

from dataclasses import dataclass
from datetime import datetime

from promptuary.access.role import SCOPES, Role, Scope
from promptuary.core.clock import Clock
from promptuary.core.database import Session
from promptuary.core.errors import Forbidden
from promptuary.core.settings import Settings


@dataclass(frozen=True)
class Caller:
    """A key's holder, inside one project, until the key ends."""

    project: int
    project_name: str
    actor: str
    role: Role
    expires_at: datetime | None = None

    def require(self, scope: Scope) -> None:
        """Let pass, or refuse.

        Raises:
            Forbidden: naming the scope and the role.
        """
        if scope not in SCOPES[self.role]:
            raise Forbidden(f"a key with the role '{self.role}' may not do this; it needs the scope '{scope}'")


@dataclass(frozen=True)
class UnitOfWork:
    """One transaction with the caller on whose behalf it runs; committed when the request has succeeded."""

    session: Session
    caller: Caller
    clock: Clock
    settings: Settings
