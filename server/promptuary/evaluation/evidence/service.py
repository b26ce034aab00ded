"""Evidence on behalf of a caller, who can only read it: the run that it is of writes it."""

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.evidence import store
from promptuary.evaluation.evidence.evidence import Evidence
from promptuary.evaluation.evidence.store import EvidenceFilter


def list_evidence(unit: UnitOfWork, selection: EvidenceFilter, limit: int, cursor: str | None) -> Page[Evidence]:
    """Return a page of the project's evidence, the newest first; `evidence.py` states how to rely on it."""
    before = decode_cursor(cursor, int)
    rows = store.list_evidence(unit.session, unit.caller.project, selection, before=before, limit=limit + 1)
    return build_page(rows, limit, lambda evidence: evidence.id)
