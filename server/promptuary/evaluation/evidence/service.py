"""Evidence, on behalf of a caller: nobody writes it but the run that it is of."""

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.evidence import store as store
from promptuary.evaluation.evidence.store import Evidence


def list_evidence(
    unit: UnitOfWork,
    limit: int,
    cursor: str | None,
    *,
    prompt: str | None = None,
    version: int | None = None,
    digest: str | None = None,
    suite: str | None = None,
    run: str | None = None,
) -> Page[Evidence]:
    """List the project's evidence, the newest first, of what is asked for; `evidence.py` says how to rely on it."""
    rows = store.list_evidence(
        unit.session,
        unit.caller.project,
        prompt=prompt,
        version=version,
        digest=digest,
        suite=suite,
        run=run,
        before=decode_cursor(cursor, int),
        limit=limit + 1,
    )
    return build_page(rows, limit, lambda one: one.id)
