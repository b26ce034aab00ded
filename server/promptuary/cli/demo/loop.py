"""`promptuary demo`: the whole loop once, on a checkout's prompts and suites; then the service keeps running."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptuary.cli.connection import ApiClient, connect
from promptuary.cli.context import add_documents, describe_added, read_documents
from promptuary.cli.demo.judge import compare_judge
from promptuary.cli.demo.traffic import show_traffic
from promptuary.cli.evaluation import suite_run
from promptuary.cli.evaluation.interruption import interruption
from promptuary.cli.evaluation.local_execution import LocalExecution
from promptuary.cli.output import print_line
from promptuary.cli.prompts_as_code import commands as sync
from promptuary.cli.prompts_as_code.plan import plan
from promptuary.cli.prompts_as_code.plan_step import PlanStep
from promptuary.cli.registry.state import RegistryState
from promptuary.cli.review.filling import QueueRequest, describe_filled, fill
from promptuary.cli.service import commands as service
from promptuary.cli.service.processes import wait_until_stopped
from promptuary.prompt.errors import FieldError, Invalid

if TYPE_CHECKING:
    from promptuary.evaluation.reports.reported_run import ReportedRun

COLLECTIONS = {"support.tickets": "context/tickets.jsonl", "support.handbook": "context/handbook"}
PROMPT, LABEL, QUEUE = "support.triage", "production", "support.triage"
REVIEWER = "demo-reviewer"


def demo(
    exit_after: Annotated[bool, typer.Option("--exit", help="Stop after the loop.")] = False,
    prompts: Annotated[Path, typer.Option("--prompts", help="The folder of prompts.")] = Path("prompts"),
    evals: Annotated[Path, typer.Option("--evals", help="The folder of suites, datasets and context.")] = Path("evals"),
) -> None:
    """Run the whole loop once: sync, evaluate, review, correct a judge, replay traffic; then keep everything running."""
    for folder in (prompts, evals):
        if not folder.is_dir():
            raise Invalid("the demo runs in a checkout of Promptuary", [FieldError(str(folder), "does not exist")])
    os.environ.pop("PROMPTUARY_URL", None)  # the demo runs on this machine, whatever server the shell uses
    data_dir = service.load_settings().data_dir
    os.environ["PROMPTUARY_DATA_DIR"] = str(data_dir.absolute())
    with connect() as api:
        _sync(api, prompts, evals)
        _index(api, evals)
        run = _evaluate(api, evals)
        _review(api, run)
        compare_judge(api, evals)
        key = _key(api)
    show_traffic(evals)
    _print_next_steps(run, exit_after)
    if exit_after:
        return
    with service.all_programs(service.load_settings()) as started:
        print_line()
        print_line(f"Sign in to the UI with this key: {key}")
        print_line("Ctrl-C stops everything.")
        wait_until_stopped(started)


def _sync(api: ApiClient, prompts: Path, evals: Path) -> None:
    print_line("1. Prompts: the first versions, then the second one of support.triage")
    first = plan(RegistryState(api), evals / "baseline")
    if all(step.newest == 0 for step in first):
        _apply(api, first)
    _apply(api, plan(RegistryState(api), prompts))


def _apply(api: ApiClient, steps: list[PlanStep]) -> None:
    for step in steps:
        print_line(f"   {step.describe()}")
    sync.apply_steps(api, steps)


def _index(api: ApiClient, evals: Path) -> None:
    print_line("2. Context: documents chunked, embedded with all-MiniLM-L6-v2, indexed in Chroma")
    for collection, path in COLLECTIONS.items():
        total = add_documents(api, collection, read_documents(evals / path))
        reindexed = api.post(f"/collections/{collection}/reindex", {})
        print_line(f"   {collection}: {describe_added(total)}, {reindexed['chunks']} passages indexed")
    response = api.post(
        "/collections/support.handbook/query", {"query": "My new card has not come. How long does it take?", "k": 1}
    )
    for passage in response["passages"]:
        print_line(f"   query “How long does a new card take?”: {passage['document']}, cosine {passage['score']:.2f}")


def _evaluate(api: ApiClient, evals: Path) -> "ReportedRun":
    print_line("3. Evaluation: two versions on the local chat model SmolLM2-135M, the same cases")
    assert api.services is not None  # this process has the service
    local = LocalExecution(api.services)
    options = suite_run.RunOptions(baseline=LABEL)
    with interruption() as signals:
        (run,) = suite_run.run_suites(api, [str(evals / "support_triage.yaml")], options, local, signals)
    return run


def _review(api: ApiClient, run: "ReportedRun") -> None:
    print_line("4. Review: the candidate's failed cases, for people to judge")
    candidate = next(variant.name for variant in run.variants if variant.role == "candidate")
    added = fill(api, QueueRequest(QUEUE, run.id, {"only": "failed", "variant": candidate}))
    print_line(f"   {describe_filled(QUEUE, added)}")


def _key(api: ApiClient) -> str:
    """Create a key of the demo's person, and revoke the key of an earlier demo, whose text is lost."""
    people = list(api.items("/people", name=REVIEWER))
    person = people[0] if people else api.post("/people", {"name": REVIEWER, "role": "editor"})
    for key in list(api.items("/keys")):
        if key["person_id"] == person["id"] and key["revoked_at"] is None:
            api.delete(f"/keys/{key['id']}")
    return str(api.post("/keys", {"name": "demo", "role": "editor", "person": person["id"]})["key"])


def _print_next_steps(run: "ReportedRun", exit_after: bool) -> None:
    variants = {variant.role.value: variant for variant in run.variants}
    print_line("7. What to do with it")
    if run.verdict == "pass" and "baseline" in variants:
        version = variants["candidate"].version
        print_line(f'   promptuary label set {PROMPT} {LABEL} {version} --reason "{run.id}: {run.verdict}"')
    print_line(f"   promptuary eval show {run.id}")
    if exit_after:
        print_line("   promptuary up    # API, worker, UI, Chroma and MLflow on the demo's data in PROMPTUARY_DATA_DIR")
