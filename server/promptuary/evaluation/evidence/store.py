"""Queries of evidence: a session in, domain values out. Rows are added and never changed, which the database holds, too."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from promptuary.context import store as context_store
from promptuary.evaluation.tables import CaseRow, EvidenceRow, RunRow


@dataclass(frozen=True)
class Evidence:
    """What a run showed of one candidate; see `evaluation/evidence.py` for what it may be taken for.

    Attributes:
        id: its number; 0 for what is not stored yet.
        project: whose it is.
        run: the run.
        variant: the candidate's name in the run.
        prompt: the prompt's name.
        version: its version.
        digest: of the version's content.
        model: under which it was tried.
        suite: the suite's name.
        suite_digest: of the definition that was run.
        dataset: the dataset's name.
        dataset_digest: of its cases.
        judges: `{metric, type, model, digest}` of each scorer that asks a model; no metric for those of single cases.
        context: `{collection, digest, digest_at_end, changed}`, or None.
        verdict: pass, regression, inconclusive or infrastructure.
        gates: the demands on this candidate, judged, as in the run's summary.
        at: when the run finished.
    """

    id: int
    project: int
    run: str
    variant: str
    prompt: str
    version: int
    digest: str
    model: str
    suite: str
    suite_digest: str
    dataset: str
    dataset_digest: str
    judges: list[dict[str, Any]]
    context: dict[str, Any] | None
    verdict: str
    gates: list[dict[str, Any]]
    at: datetime


def add_evidence(session: Session, rows: Iterable[Evidence]) -> None:
    """Add what a run showed."""
    for one in rows:
        values = {name: value for name, value in vars(one).items() if name not in ("id", "project", "run")}
        session.add(EvidenceRow(project_id=one.project, run_id=one.run, **values))
    session.flush()


def list_evidence(
    session: Session,
    project: int,
    *,
    prompt: str | None = None,
    version: int | None = None,
    digest: str | None = None,
    suite: str | None = None,
    run: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Evidence]:
    """List a project's evidence, the newest first, of what is asked for."""
    query = select(EvidenceRow).where(EvidenceRow.project_id == project).order_by(col(EvidenceRow.id).desc()).limit(limit)
    asked = {"prompt": prompt, "version": version, "digest": digest, "suite": suite, "run_id": run}
    for name, value in asked.items():
        if value is not None:
            query = query.where(getattr(EvidenceRow, name) == value)
    if before is not None:
        query = query.where(col(EvidenceRow.id) < before)
    return [_evidence(row) for row in session.exec(query)]


def evidence_history(session: Session, now: Evidence, schedule: str, since: str | None, limit: int) -> list[Evidence]:
    """Give what earlier runs of a schedule showed under the same model, suite and cases, the newest first.

    Runs whose verdict is infrastructure are left out; with `since`, runs before that one, too.
    """
    query = select(EvidenceRow).join(RunRow, col(RunRow.id) == EvidenceRow.run_id)
    query = query.where(RunRow.project_id == now.project, RunRow.schedule == schedule, EvidenceRow.run_id < now.run)
    same = ("model", "suite", "suite_digest", "dataset_digest")
    query = query.where(*(getattr(EvidenceRow, name) == getattr(now, name) for name in same))
    query = query.where(EvidenceRow.verdict != "infrastructure")
    if since is not None:
        query = query.where(EvidenceRow.run_id >= since)
    return [_evidence(row) for row in session.exec(query.order_by(col(EvidenceRow.run_id).desc()).limit(limit))]


def case_asserts(session: Session, version: int) -> Iterator[dict[str, Any]]:
    """Go through the scorers that single cases of a dataset version bring."""
    body: Any = col(CaseRow.body)
    query = select(body["assert"]).where(CaseRow.dataset_version_id == version, body["assert"].as_string().is_not(None))
    for found in session.exec(query.execution_options(yield_per=1000)):
        yield from found


def collection_digests(session: Session, project: int, collections: Iterable[str | None]) -> dict[str, str | None]:
    """Give the digests of what collections hold now, by name; None for one that is not there."""
    names = sorted({name for name in collections if name is not None})
    return {name: context_store.content_digest(session, project, name) for name in names}


def _evidence(row: EvidenceRow) -> Evidence:
    known = [name for name in Evidence.__dataclass_fields__ if name not in ("id", "project", "run")]
    return Evidence(id=row.id or 0, project=row.project_id, run=row.run_id, **{name: getattr(row, name) for name in known})
