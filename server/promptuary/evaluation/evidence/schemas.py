"""The wire models of evidence."""

from datetime import datetime

from promptuary.core.wire import ResponseModel
from promptuary.evaluation.evidence.evidence import ContextEvidence, JudgeIdentity, TargetEvidence
from promptuary.evaluation.summary_model import GateResult
from promptuary.statistics.verdict import Verdict


class EvidenceOut(ResponseModel):
    """What a finished run shows of one candidate under one model, with the digests of everything that it depends on.

    Evidence of an application has `target`, and no prompt, version and model. `context` has the digests of the collection's
    content when the run was submitted and when it ended, and whether they differ.
    """

    id: int
    run: str
    variant: str
    prompt: str | None
    version: int | None
    digest: str
    model: str
    suite: str
    suite_digest: str
    dataset: str
    dataset_digest: str
    judges: tuple[JudgeIdentity, ...]
    context: ContextEvidence | None
    verdict: Verdict
    gates: tuple[GateResult, ...]
    at: datetime
    target: TargetEvidence | None
