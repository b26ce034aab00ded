"""What the token of a platform states of the pipeline that it was issued to, in the words of both platforms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.access.token_issuers.errors import TokenRefused

FOREIGN_CODE_EVENTS = frozenset(
    {
        "pull_request",
        "pull_request_target",
        "workflow_run",
        "issue_comment",
        "issues",
        "discussion",
        "discussion_comment",
        "pull_request_review",
        "pull_request_review_comment",
        "fork",
        "watch",
        "gollum",
        "merge_request_event",
        "external_pull_request_event",
    }
)
"""Events by which somebody without the right to push can start a pipeline; a rule has to name them."""
_TEXT_LIMIT = 500


@dataclass(frozen=True)
class PipelineClaims:
    """A pipeline.

    Attributes:
        repository: its path, as `acme/prompts`.
        repository_id: the platform's number of it, which another repository of the same name does not have.
        branch: where its code is; of a pull request the branch that it is to change; None for a tag.
        environment: the deployment environment, if it has one.
        event: what started it.
        run: the platform's number of it, for the audit chain.
    """

    repository: str
    repository_id: str
    branch: str | None
    environment: str | None
    event: str
    run: str


def github_claims(claims: Mapping[str, Any]) -> PipelineClaims:
    """Read the claims of GitHub Actions.

    Raises:
        TokenRefused: when one is missing.
    """
    event = _text(claims, "event_name")
    branch = _text(claims, "ref").removeprefix("refs/heads/") if claims.get("ref_type") == "branch" else None
    if event == "pull_request":
        branch = _text(claims, "base_ref")
    return PipelineClaims(
        _text(claims, "repository"),
        _text(claims, "repository_id"),
        branch,
        _optional(claims, "environment"),
        event,
        _text(claims, "run_id"),
    )


def gitlab_claims(claims: Mapping[str, Any]) -> PipelineClaims:
    """Read the claims of GitLab CI.

    Raises:
        TokenRefused: when one is missing.
    """
    return PipelineClaims(
        _text(claims, "project_path"),
        _text(claims, "project_id"),
        _text(claims, "ref") if claims.get("ref_type") == "branch" else None,
        _optional(claims, "environment"),
        _text(claims, "pipeline_source"),
        _text(claims, "pipeline_id"),
    )


READERS: Mapping[str, Callable[[Mapping[str, Any]], PipelineClaims]] = {"github": github_claims, "gitlab": gitlab_claims}
"""By the platform's name in the settings."""


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = _optional(claims, name)
    if value is None:
        raise TokenRefused(f"the token is not of a pipeline: it has no `{name}`")
    return value


def _optional(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= _TEXT_LIMIT and value.isprintable() else None
