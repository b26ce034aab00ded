"""Roles and their scopes. A route declares one scope, a key has one role, and only what is listed here is allowed.

`docs/people.md` has the generated table of roles, scopes and routes; `promptuary key roles` prints it.
"""

from enum import StrEnum


class Scope(StrEnum):
    """One type of action that a role may allow."""

    SELF_READ = "self:read"
    """Read whose key it is, and what it may do."""
    SESSION_OWN = "session:own"
    """Open a sign-in session with one's own key, and list and end one's own sessions."""
    PROMPT_LOOKUP = "prompt:lookup"
    """Look a version up, follow the stream of changes, and list prompts by name, as applications and their SDKs do."""
    PROMPT_READ = "prompt:read"
    """Read versions, their history and differences, and search prompts."""
    PROMPT_WRITE = "prompt:write"
    PROMPT_RENDER = "prompt:render"
    PROMPT_IMPORT = "prompt:import"
    PROMPT_ERASE = "prompt:erase"
    LABEL_MOVE = "label:move"
    CONTEXT_READ = "context:read"
    CONTEXT_WRITE = "context:write"
    """Change collections and their documents."""
    SUITE_WRITE = "suite:write"
    DATASET_WRITE = "dataset:write"
    SCHEDULE_WRITE = "schedule:write"
    """Change schedules, and acknowledge their alerts."""
    RUN_READ = "run:read"
    RUN_WRITE = "run:write"
    """Submit, cancel and resume runs."""
    REVIEW_READ = "review:read"
    REVIEW_MANAGE = "review:manage"
    REVIEW_DECIDE = "review:decide"
    REVIEW_ADJUDICATE = "review:adjudicate"
    """Settle the labels of items on which reviewers disagree."""
    TRAFFIC_SEND = "traffic:send"
    """Report model calls, as applications do."""
    FEEDBACK_SEND = "feedback:send"
    """Send feedback on versions, as applications and reviewers do, and correct one's own."""
    TRAFFIC_READ = "traffic:read"
    """Read counters, series and feedback figures; no contents of calls."""
    OBSERVATION_READ = "observation:read"
    """Read the contents of sampled calls, which are people's data, and make cases of them."""
    TRAFFIC_MANAGE = "traffic:manage"
    """Change what is sampled, how long it is stored, and what is done with it."""
    OBSERVATION_ERASE = "observation:erase"
    """Erase the calls of one end user."""
    WEBHOOK_MANAGE = "webhook:manage"
    KEY_MANAGE = "key:manage"
    """Create, list and revoke service keys, up to one's own scopes."""
    PERSON_MANAGE = "person:manage"
    """Create people, their roles, keys and sign-in codes."""
    AUDIT_READ = "audit:read"
    PROJECT_MANAGE = "project:manage"


class Role(StrEnum):
    """The purpose of a key, or what a person is in a project."""

    VIEWER = "viewer"
    """Reads prompts, context, runs and the progress of reviews; changes nothing."""
    EDITOR = "editor"
    """Writes prompts, context, suites and datasets, moves labels, opens queues."""
    REVIEWER = "reviewer"
    """A domain expert: claims items and decides."""
    LEAD = "lead"
    """An editor who also approves, and creates the keys of pipelines and applications, with what they are allowed."""
    CI = "ci"
    """A pipeline: registers versions and runs suites; approves nothing, and changes nothing that its runs are judged by."""
    SERVICE = "service"
    """An application: looks prompts up, follows their changes and renders them; nothing else."""
    ADMIN = "admin"
    """Everything inside the project: people, keys, webhooks, the audit chain, and the import of prompts with their history."""
    OPERATOR = "operator"
    """Everything, including projects themselves and the erasure of contents."""
    READER = "reader"
    """The former name of `service`."""
    AUTHOR = "author"
    """The former name of `editor`."""


FORMER_NAMES = {Role.READER: Role.SERVICE, Role.AUTHOR: Role.EDITOR}
"""The role that each name of an earlier release means; keys keep the name under which they were created."""
ROLES = tuple(role for role in Role if role not in FORMER_NAMES)
"""The roles by their names of today."""
GRANTABLE = frozenset({Scope.SUITE_WRITE, Scope.DATASET_WRITE, Scope.CONTEXT_WRITE, Scope.SCHEDULE_WRITE})
"""What a pipeline's key may be allowed beyond its role, when it is created: to change what its runs are judged by."""


def format_grants(grants: frozenset[Scope]) -> str | None:
    """Return grants as they are stored: scopes with spaces between, None for none."""
    return " ".join(sorted(grants)) or None


def parse_grants(stored: str | None) -> frozenset[Scope]:
    """Return the scopes of stored grants."""
    return frozenset(Scope(grant) for grant in (stored or "").split())


_EVERYONE = frozenset({Scope.SELF_READ, Scope.PROMPT_LOOKUP})
_PERSON = _EVERYONE | {Scope.SESSION_OWN, Scope.PROMPT_READ, Scope.RUN_READ, Scope.REVIEW_READ, Scope.TRAFFIC_READ}
_SERVICE = _EVERYONE | {Scope.PROMPT_RENDER, Scope.TRAFFIC_SEND, Scope.FEEDBACK_SEND}
_VIEWER = _PERSON | {Scope.PROMPT_RENDER, Scope.CONTEXT_READ}
_REVIEWER = _PERSON | {Scope.REVIEW_DECIDE, Scope.FEEDBACK_SEND}
_CI = _SERVICE | {Scope.PROMPT_READ, Scope.PROMPT_WRITE, Scope.CONTEXT_READ, Scope.RUN_READ, Scope.RUN_WRITE}
_EDITOR = _CI | _VIEWER | _REVIEWER | GRANTABLE | {Scope.LABEL_MOVE, Scope.REVIEW_MANAGE, Scope.OBSERVATION_READ}
_LEAD = _EDITOR | {Scope.KEY_MANAGE, Scope.REVIEW_ADJUDICATE, Scope.TRAFFIC_MANAGE}
_ADMIN = _LEAD | {
    Scope.PERSON_MANAGE,
    Scope.PROMPT_IMPORT,
    Scope.WEBHOOK_MANAGE,
    Scope.AUDIT_READ,
    Scope.OBSERVATION_ERASE,
}

SCOPES: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: _VIEWER,
    Role.EDITOR: _EDITOR,
    Role.REVIEWER: _REVIEWER,
    Role.LEAD: _LEAD,
    Role.CI: _CI,
    Role.SERVICE: _SERVICE,
    Role.ADMIN: _ADMIN,
    Role.OPERATOR: _ADMIN | {Scope.PROJECT_MANAGE, Scope.PROMPT_ERASE},
    Role.READER: _SERVICE,
    Role.AUTHOR: _EDITOR,
}
