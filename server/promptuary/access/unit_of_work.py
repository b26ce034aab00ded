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
    """On whose behalf something is done, inside one project.

    Attributes:
        project: the project's number.
        project_name: its name.
        identity: what rows contain for the caller; see `promptuary.access.identity`.
        role: of the key, or of the person who has signed in.
        display_name: the name that people see; the identity where none is passed.
        allowed: the scopes; those of the role where none are passed.
        expires_at: when the key or session ends by itself.
        key_id: the key; None for a session, for the local operator and for schedules.
        session_id: the sign-in session, where the caller has one.
        session_used_at: when that was last used, as far as it is stored.
        person_id: the person, where the key or session is one's.
        former_identity: how rows of releases before 0.5.0 name the key, where it is known to be the one.
    """

    project: int
    project_name: str
    identity: str
    role: Role
    display_name: str = ""
    allowed: frozenset[Scope] | None = None
    expires_at: datetime | None = None
    key_id: str | None = None
    session_id: str | None = None
    session_used_at: datetime | None = None
    person_id: str | None = None
    former_identity: str | None = None

    @property
    def name(self) -> str:
        """The name that people see."""
        return self.display_name or self.identity

    @property
    def credential_id(self) -> str | None:
        """The id of the key or of the session; None for the local operator and for schedules."""
        return self.key_id or self.session_id

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the caller may do."""
        return SCOPES[self.role] if self.allowed is None else self.allowed

    @property
    def identities(self) -> tuple[str, ...]:
        """What a row may contain that is the caller's own: the identity, and the former one."""
        return (self.identity,) if self.former_identity is None else (self.identity, self.former_identity)

    def has(self, scope: Scope) -> bool:
        """Return whether the caller has a scope."""
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Check that the caller has a scope.

        Raises:
            Forbidden: naming the scope and the role.
        """
        if not self.has(scope):
            raise Forbidden(f"a key with the role '{self.role}' may not do this; it needs the scope '{scope}'")

    def require_to_give(self, role: Role, grants: frozenset[Scope] = frozenset()) -> None:
        """Check that the caller may give a role, to a person or a key, with grants beyond it.

        Raises:
            Forbidden: when it has a scope that the caller lacks.
        """
        if role is Role.OPERATOR and not self.has(Scope.PROJECT_MANAGE):
            raise Forbidden("only an operator makes operators, and operators' keys")
        missing = (SCOPES[role] | grants) - self.scopes
        if missing:
            raise Forbidden(f"you cannot give what you do not have: {', '.join(sorted(missing))}")

    def require_change(self, scope: Scope, subject: str) -> None:
        """Check that the caller may change a thing, of which they have sent another content than the stored one.

        Args:
            scope: what a change needs, beyond the scope of the route.
            subject: the thing, for the message.

        Raises:
            Forbidden: with the remedy.
        """
        if not self.has(scope):
            raise Forbidden(
                f"{subject} differs from the stored one, and a key with the role '{self.role}' may not change it; it needs the "
                f"scope '{scope}', which a lead allows: promptuary key create NAME --role ci --allow {scope}"
            )


@dataclass(frozen=True)
class UnitOfWork:
    """One transaction with its caller; it is committed when the request has succeeded."""

    session: Session
    caller: Caller
    clock: Clock
    settings: Settings
