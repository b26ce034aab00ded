"""Roles and their scopes. A route declares one scope, a key has one role, and only what is listed here is allowed."""

from enum import StrEnum


class Scope(StrEnum):
    """One kind of action that a role may allow."""

    PROMPT_READ = "prompt:read"
    PROMPT_WRITE = "prompt:write"
    PROMPT_RENDER = "prompt:render"
    PROMPT_IMPORT = "prompt:import"
    PROMPT_ERASE = "prompt:erase"
    LABEL_MOVE = "label:move"
    CONTEXT_READ = "context:read"
    CONTEXT_WRITE = "context:write"
    RUN_READ = "run:read"
    RUN_WRITE = "run:write"
    REVIEW_READ = "review:read"
    REVIEW_MANAGE = "review:manage"
    REVIEW_DECIDE = "review:decide"
    WEBHOOK_MANAGE = "webhook:manage"
    KEY_MANAGE = "key:manage"
    AUDIT_READ = "audit:read"
    PROJECT_MANAGE = "project:manage"


class Role(StrEnum):
    """The purpose of a key."""

    READER = "reader"
    """An application: looks prompts up and renders them."""
    REVIEWER = "reviewer"
    """A domain expert: claims items and decides."""
    CI = "ci"
    """A pipeline: registers versions and runs suites; approves nothing."""
    AUTHOR = "author"
    """Writes prompts, context and suites, moves labels, opens queues."""
    ADMIN = "admin"
    """Everything inside the project: keys, webhooks, the audit chain, and the import of prompts with their history."""
    OPERATOR = "operator"
    """Everything, including projects themselves and the erasure of contents."""


_READER = frozenset({Scope.PROMPT_READ, Scope.PROMPT_RENDER, Scope.CONTEXT_READ})
_REVIEWER = frozenset({Scope.PROMPT_READ, Scope.RUN_READ, Scope.REVIEW_READ, Scope.REVIEW_DECIDE})
_CI = _READER | {Scope.PROMPT_WRITE, Scope.CONTEXT_WRITE, Scope.RUN_READ, Scope.RUN_WRITE}
_AUTHOR = _CI | _REVIEWER | {Scope.LABEL_MOVE, Scope.REVIEW_MANAGE}
_ADMIN = _AUTHOR | {Scope.PROMPT_IMPORT, Scope.WEBHOOK_MANAGE, Scope.KEY_MANAGE, Scope.AUDIT_READ}

SCOPES: dict[Role, frozenset[Scope]] = {
    Role.READER: _READER,
    Role.REVIEWER: _REVIEWER,
    Role.CI: _CI,
    Role.AUTHOR: _AUTHOR,
    Role.ADMIN: _ADMIN,
    Role.OPERATOR: _ADMIN | {Scope.PROJECT_MANAGE, Scope.PROMPT_ERASE},
}
