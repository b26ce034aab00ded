"""The erasure of one end user: of the calls that name them, and of what was made of these calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from promptuary.access import audit
from promptuary.access import store as access_store
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.evaluation.datasets.user_case_store import CallOrigin, UserCase, erase_cases, find_user_cases
from promptuary.evaluation.tracking.case_erasure import erase_in_runs
from promptuary.models.calls.store import delete_responses
from promptuary.review.labels.text_store import erase_item_texts
from promptuary.review.queues.store import erase_case_items
from promptuary.traffic.calls.user_hash import hash_user
from promptuary.traffic.erasure import store
from promptuary.traffic.redaction.redactor import Redactor
from promptuary.traffic.replay.sampled_call import user_cluster
from promptuary.traffic.settings.store import require_project_traffic

_REPLACED = '{"type": "urn:promptuary:problem:erased", "title": "Gone", "status": 410, "code": "erased", "detail": "erased"}'
NO_NAME = "calls and feedback that were sent without this user's id cannot be found by it"
REASONS = "the reasons of adjudications stay in the audit chain, where there are any; what else reviewers wrote is erased"
EXPORTS = "exports and reports that were made before now, and edited cases that lost their call's name, cannot be found"
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
    cluster = user_cluster(user_hash)
    cases = find_user_cases(session, project, CallOrigin(calls, cluster))
    runs = erase_in_runs(unit, cases)
    cached = delete_responses(session, project, unit.clock() + timedelta(days=1)) if runs.results else 0
    items = erase_case_items(session, project, calls, runs.cases)
    removed = {
        "cases": erase_cases(session, cases, cluster),
        "review_items": sum(not erased for erased in items.values()),
        "review_texts": erase_item_texts(session, items),
        "results": runs.results,
        "cached_responses": cached,
        "stored_responses": access_store.replace_naming_responses(session, project, [*ids, *items], 410, _REPLACED),
        "feedback": store.delete_feedback(session, project, feedback),
        "online_scores": scores,
        "calls": store.delete_calls(session, calls),
    }
    remaining = [*runs.remaining, *_file_copies(cases), REASONS, EXPORTS, NO_NAME, COUNTERS, BACKUPS]
    detail = {"user_hash": user_hash, "reason": _cleaned(reason, user), "removed": removed}
    audit.record_change(unit, "traffic.user_erased", "traffic", detail)
    return UserErased(user_hash, removed, remaining)


def _file_copies(cases: Sequence[UserCase]) -> list[str]:
    versions = dict.fromkeys((case.dataset, case.version) for case in cases)
    if not versions:
        return []
    names = ", ".join(f"'{name}' v{number}" for name, number in versions)
    return [
        f"files that were pulled of the datasets {names} have their cases; here these are erased, and their ids, places and "
        "the versions' digests stay"
    ]


def _cleaned(reason: str, user: str) -> str:
    """Return the reason without the user's id and without other data of people."""
    return Redactor().redact_text(reason.replace(user, "[user]"))[0]
