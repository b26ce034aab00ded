"""Queries of evidence: a session in, domain values out. Rows are only ever added; the database refuses to change them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from promptuary.evaluation.evidence.evidence import ContextEvidence, Evidence, JudgeIdentity, TargetEvidence
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.summary_model import GateResult
from promptuary.evaluation.tables import CaseRow, EvidenceRow, RunRow
from promptuary.statistics.verdict import Verdict

_PLAIN_FIELDS = "variant prompt version digest model suite suite_digest dataset dataset_digest at".split()


@dataclass(frozen=True)
class EvidenceFilter:
    """Which evidence is listed; None leaves nothing out.

    Attributes:
        prompt: the prompt's name.
        version: the version's number.
        digest: of the version's content.
        suite: the suite's name.
        run: the run's id.
    """

    prompt: str | None = None
    version: int | None = None
    digest: str | None = None
    suite: str | None = None
    run: str | None = None


def add_evidence(session: Session, rows: Iterable[Evidence]) -> None:
    """Add the evidence of a run."""
    for evidence in rows:
        session.add(
            EvidenceRow(
                project_id=evidence.project,
                run_id=evidence.run,
                verdict=evidence.verdict.value,
                judges=[judge.model_dump(mode="json") for judge in evidence.judges],
                context=evidence.context.model_dump(mode="json") if evidence.context else None,
                target=evidence.target.model_dump(mode="json") if evidence.target else None,
                gates=[gate.json_body() for gate in evidence.gates],
                **{name: getattr(evidence, name) for name in _PLAIN_FIELDS},
            )
        )
    session.flush()


def list_evidence(
    session: Session, project: int, selection: EvidenceFilter, *, before: int | None = None, limit: int
) -> list[Evidence]:
    """Return a project's evidence, the newest first; with `before`, only rows of a smaller id."""
    query = select(EvidenceRow).where(EvidenceRow.project_id == project).order_by(col(EvidenceRow.id).desc()).limit(limit)
    for name, value in vars(selection).items():
        if value is not None:
            query = query.where(getattr(EvidenceRow, "run_id" if name == "run" else name) == value)
    if before is not None:
        query = query.where(col(EvidenceRow.id) < before)
    return [_evidence(row) for row in session.exec(query)]


def evidence_history(session: Session, evidence: Evidence, schedule: str, since: str | None, limit: int) -> list[Evidence]:
    """Return the evidence of a schedule's earlier runs under the same model, or of the same application, the newest first.

    Suite and cases are the same too.

    Args:
        session: for reading.
        evidence: of the run whose history is wanted.
        schedule: the schedule's name.
        since: the id of the first run that belongs to the history; None for all.
        limit: the most rows.

    Returns:
        The rows, without those whose verdict is infrastructure.
    """
    query = select(EvidenceRow).join(RunRow, col(RunRow.id) == EvidenceRow.run_id)
    query = query.where(RunRow.project_id == evidence.project, RunRow.schedule == schedule, EvidenceRow.run_id < evidence.run)
    equal = ("model", "suite", "suite_digest", "dataset_digest")
    query = query.where(*(getattr(EvidenceRow, name) == getattr(evidence, name) for name in equal))
    if evidence.target is not None:
        query = query.where(col(EvidenceRow.target)["name"].as_string() == evidence.target.name)
    query = query.where(EvidenceRow.verdict != Verdict.INFRASTRUCTURE.value)
    if since is not None:
        query = query.where(EvidenceRow.run_id >= since)
    return [_evidence(row) for row in session.exec(query.order_by(col(EvidenceRow.run_id).desc()).limit(limit))]


def case_asserts(session: Session, version: int) -> Iterator[JsonObject]:
    """Yield the scorers of single cases of a dataset version, as JSON."""
    body: Any = col(CaseRow.body)
    query = select(body["assert"]).where(CaseRow.dataset_version_id == version, body["assert"].as_string().is_not(None))
    for scorers in session.exec(query.execution_options(yield_per=1000)):
        yield from scorers


def _evidence(row: EvidenceRow) -> Evidence:
    return Evidence(
        id=row.id or 0,
        project=row.project_id,
        run=row.run_id,
        verdict=Verdict(row.verdict),
        judges=tuple(JudgeIdentity.model_validate(judge) for judge in row.judges),
        context=None if row.context is None else ContextEvidence.model_validate(row.context),
        target=None if row.target is None else TargetEvidence.model_validate(row.target),
        gates=tuple(GateResult.model_validate(gate) for gate in row.gates),
        **{name: getattr(row, name) for name in _PLAIN_FIELDS},
    )
