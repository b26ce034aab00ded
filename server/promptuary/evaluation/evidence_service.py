"""Evidence, on behalf of a caller: nobody writes it but the run that it is of."""

from promptuary.access.caller import Unit
from promptuary.base.paging import Page, decode, page
from promptuary.evaluation import evidence_store as store
from promptuary.evaluation.evidence_store import Evidence


def evidence(
    unit: Unit,
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
    rows = store.evidence(
        unit.session,
        unit.caller.project,
        prompt=prompt,
        version=version,
        digest=digest,
        suite=suite,
        run=run,
        before=decode(cursor, int),
        limit=limit + 1,
    )
    return page(rows, limit, lambda one: one.id)
