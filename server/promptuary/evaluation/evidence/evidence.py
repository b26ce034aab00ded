"""Evidence: what a finished run shows of each candidate, with the digests of everything that it depends on.

A row is one candidate variant, which is one version under one model. It is written in the transaction that finishes the run and
is never changed; a run that failed or was cancelled leaves none. The rules for promoting a version on evidence are:

- Select rows by the **digest** of the prompt's content, never by its number: only the content that was evaluated is promoted.
- Require today's digests: `suite_digest` and `dataset_digest` must be those of the suite and the dataset as they are now, else
  the demands or the cases have changed since. The suite's digest covers models, repeats, scorers and gate, so a run under other
  models or with other repeats has another digest.
- `verdict` is the candidate's own: the worst of its `gates`, or `infrastructure` where too many results have no verdict.
  Only `pass` permits a promotion, and only with **gates that are not empty**: a suite without a gate requires nothing and ends
  in `no gate` (`verdict.gate.verdict_of`); rows of release 0.3 and before have `pass` there.
- A suite with several models leaves a row for each; all rows of one run belong together.
- `judges` lists every model that judged, with the digest of its instruction and of the form of its answer; another digest is
  another measure. What the judge looks for, such as a rubric, is in the suite's digest.
- `context` is None where the version retrieves nothing. Otherwise it has the collection, the digests of its content when the
  run was submitted and when it ended, and `changed`: then some cases may have been answered on other documents, and the row
  describes neither state.
- A row of an application has `target`, and no prompt and version. Its digest is of the application's definition, which no
  content of a prompt has. It permits no promotion of a prompt, whatever its verdict.
- Several rows may match. The newest is not the better one: to take the best of many runs is to let chance decide.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from promptuary.evaluation.applications.spec import ApplicationType
from promptuary.evaluation.summary_model import GateResult
from promptuary.statistics.verdict import Verdict


class JudgeIdentity(BaseModel):
    """A scorer that asks a model.

    Attributes:
        metric: the scorer's metric; None for a scorer of single cases.
        type: the scorer's type, as the suite names it.
        model: in LangChain's `provider:model` form.
        digest: of the judge's instruction and of the form of its answer.
    """

    model_config = ConfigDict(frozen=True)

    metric: str | None
    type: str
    model: str | None
    digest: str


class ContextEvidence(BaseModel):
    """The content of the collection that a version retrieves from.

    Attributes:
        collection: its name.
        digest: of its content when the run was submitted; None where it did not exist.
        digest_at_end: of its content when the run ended; None where it did not exist.
        changed: whether the two differ.
    """

    model_config = ConfigDict(frozen=True)

    collection: str
    digest: str | None
    digest_at_end: str | None
    changed: bool


class TargetEvidence(BaseModel):
    """The application that a run evaluated.

    Attributes:
        name: as the suite calls it.
        type: http, python, exec or outputs.
        versions: of the application: the one that the suite states, or all that its answers stated; none where nobody did.
        changed: whether it answered under several versions, so that the row describes none of them.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: ApplicationType
    versions: tuple[str, ...]
    changed: bool


@dataclass(frozen=True)
class Evidence:
    """What a run shows of one candidate; the module states what it may be used for.

    Attributes:
        id: its number; 0 before it is stored.
        project: the project's number.
        run: the run's id.
        variant: the candidate's name in the run.
        prompt: the prompt's name; None for an application.
        version: the version's number; None for an application.
        digest: of the version's content, or of the application's definition.
        model: in LangChain's `provider:model` form.
        suite: the suite's name.
        suite_digest: of the definition that was run.
        dataset: the dataset's name.
        dataset_digest: of its cases.
        judges: the scorers that ask a model.
        context: the content that the version retrieves from, if any.
        verdict: the candidate's own.
        gates: the gate's results for this candidate, as in the run's summary.
        at: when the run finished.
        target: the application, if the evidence is of one.
    """

    id: int
    project: int
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
    target: TargetEvidence | None = None
