"""Which roles a person has by their groups at the identity provider."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from promptuary.access.role import SCOPES, Role, Scope
from promptuary.core.errors import FieldError
from promptuary.core.settings import InvalidSettings
from promptuary.prompt.name import is_name


@dataclass(frozen=True)
class RoleMapping:
    """The roles of each group, by project.

    Attributes:
        roles: by group, then by project.
    """

    roles: Mapping[str, Mapping[str, Role]] = field(default_factory=dict)

    @property
    def projects(self) -> frozenset[str]:
        """The projects in which the groups decide who has which role."""
        return frozenset(project for roles in self.roles.values() for project in roles)

    def roles_of(self, groups: Collection[str]) -> dict[str, Role]:
        """Return the role in each project: of several, the one that may do most."""
        best: dict[str, Role] = {}
        for group in groups:
            for project, role in self.roles.get(group, {}).items():
                current = best.get(project)
                if current is None or (len(SCOPES[role]), role) > (len(SCOPES[current]), current):
                    best[project] = role
        return best


def parse_role_mapping(setting: Mapping[str, Sequence[str]]) -> RoleMapping:
    """Parse `{"group": ["project:role", …]}`.

    Raises:
        InvalidSettings: with every entry that is no role of a person in a project.
    """
    roles: dict[str, dict[str, Role]] = {}
    field_errors = []
    for group, entries in setting.items():
        for entry in entries:
            project, _, name = entry.rpartition(":")
            role = Role(name) if name in set(Role) else None
            if role is None or Scope.SESSION_OWN not in SCOPES[role] or not is_name(project):
                message = f"'{entry}' of the group '{group}' is not a project and a role of people, such as default:reviewer"
                field_errors.append(FieldError("PROMPTUARY_OIDC_ROLES", message))
            else:
                roles.setdefault(group, {})[project] = role
    if field_errors:
        raise InvalidSettings("the settings cannot be used", field_errors)
    return RoleMapping(roles)


def groups_in(claims: Mapping[str, object], name: str) -> list[str] | None:
    """Return the groups that claims state, by the claim's name or by a path of names with dots; None where there are none."""
    value: object = claims.get(name)
    if value is None and "." in name:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return [value]
    return [group for group in value if isinstance(group, str)] if isinstance(value, list) else None
