"""The erasure of one end user: of the calls that name them, and of what was made of these calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access import store as access_store
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.evaluation.datasets.store import find_datasets_with_cases
from promptuary.evaluation.runs.result_store import erase_case_results
from promptuary.review.queues.store import erase_case_items
from promptuary.traffic.calls.user_hash import hash_user
from promptuary.traffic.erasure import store
from promptuary.traffic.redaction.redactor import Redactor
from promptuary.traffic.settings.store import require_project_traffic

_REPLACED = '{"type": "urn:promptuary:problem:erased", "title": "Gone", "status": 410, "code": "erased", "detail": "erased"}'
NO_NAME = "calls and feedback that were sent without this user's id cannot be found by it"
COUNTERS = "counters stay: they are sums over calls, without ids or texts"
BACKUPS = "this service keeps no list of backups: those that were made before now contain the user's calls"


@dataclass(frozen=True)
class UserErased:
    """What was erased.

    Attributes:
        user_hash: the keyed hash of the user's id, as the audit chain has it.
        removed: numbers by the name of the thing.
        remaining: sentences on what is not erased.
    """

    user_hash: str
    removed: Mapping[str, int]
    remaining: Sequence[str]


def erase_user(unit: UnitOfWork, user: str, reason: str) -> UserErased:
    """Remove an end user's calls, feedback and scores, and clear review items and results that were made of the calls.

    To erase the same user again removes what came since.

    Args:
        unit: the transaction.
        user: the end user's id as the application sends it; it is stored nowhere.
        reason: why; stored in the audit chain, redacted.
    """
    session, project = unit.session, unit.caller.project
    user_hash = hash_user(user, require_project_traffic(session, project, unit.settings).user_key)
    calls = store.find_user_calls(session, project, user_hash)
    names = sorted(store.find_call_names(session, project, calls))
    feedback = store.find_user_feedback(session, project, user_hash, calls, names)
    ids = [*calls, *feedback, user_hash]
    store.delete_user_spans(session, project, user_hash)
    scores = store.count_scores(session, calls)
    removed = {
        "review_items": erase_case_items(session, project, calls),
        "results": erase_case_results(session, project, calls),
        "stored_responses": access_store.replace_naming_responses(session, project, ids, 410, _REPLACED),
        "feedback": store.delete_feedback(session, project, feedback),
        "online_scores": scores,
        "calls": store.delete_calls(session, calls),
    }
    remaining = [*_remaining(unit, calls, removed["review_items"]), NO_NAME, COUNTERS, BACKUPS]
    detail = {"user_hash": user_hash, "reason": _cleaned(reason, user), "removed": removed}
    audit.record_change(unit, "traffic.user_erased", "traffic", detail)
    return UserErased(user_hash, removed, remaining)


def _remaining(unit: UnitOfWork, calls: Sequence[str], items: int) -> list[str]:
    sentences = [
        f"the dataset '{name}' has {count} cases that were made of these calls; the versions of a dataset do not change, and "
        "its copies are in files that were pulled"
        for name, count in find_datasets_with_cases(unit.session, unit.caller.project, calls).items()
    ]
    if items:
        sentences.append("reviewers' comments and corrections are kept as they were written")
    return sentences


def _cleaned(reason: str, user: str) -> str:
    """Return the reason without the user's id and without other data of people."""
    return Redactor().redact_text(reason.replace(user, "[user]"))[0]
