"""`promptuary demo`: the whole loop once, on a checkout's prompts and suites, with every real part; then it keeps running."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli import review, running, service, sync
from promptuary.cli.connection import Api, connect
from promptuary.cli.context import read_documents, take_in
from promptuary.cli.held import Holdings
from promptuary.cli.output import line
from promptuary.cli.plan import Step, plan
from promptuary.cli.processes import wait
from promptuary.prompt.errors import Fault, Invalid

COLLECTIONS = {"support.tickets": "context/tickets.jsonl", "support.handbook": "context/handbook"}
PROMPT, LABEL, QUEUE = "support.triage", "production", "support.triage"
REVIEWER = "demo-reviewer"


def demo(
    exit_after: Annotated[bool, typer.Option("--exit", help="Stop after the loop.")] = False,
    prompts: Annotated[Path, typer.Option("--prompts", help="The folder of prompts.")] = Path("prompts"),
    evals: Annotated[Path, typer.Option("--evals", help="The folder of suites, datasets and context.")] = Path("evals"),
) -> None:
    """Run the whole loop once: sync, index, evaluate two versions, open a review queue; then keep everything running."""
    for folder in (prompts, evals):
        if not folder.is_dir():
            raise Invalid("the demo runs in a checkout of Promptuary", [Fault(str(folder), "is not there")])
    os.environ.pop("PROMPTUARY_URL", None)  # the demo is about this machine, whatever the shell talks to
    data_dir = service.settings().data_dir
    os.environ["PROMPTUARY_DATA_DIR"] = str(data_dir.absolute())
    with connect() as api:
        _sync(api, prompts, evals)
        _index(api, evals)
        run = _evaluate(api, evals)
        _review(api, run)
        key = _key(api)
    _tell(run, exit_after)
    if exit_after:
        return
    with service.everything(service.settings()) as started:
        line()
        line(f"Sign in to the UI with this key: {key}")
        line("Ctrl-C stops everything.")
        wait(started)


def _sync(api: Api, prompts: Path, evals: Path) -> None:
    line("1. Prompts: the first versions, then the second one of support.triage")
    first = plan(Holdings(api), evals / "baseline")
    if all(step.newest == 0 for step in first):
        _apply(api, first)
    _apply(api, plan(Holdings(api), prompts))


def _apply(api: Api, steps: list[Step]) -> None:
    for step in steps:
        line(f"   {step.describe()}")
    sync.apply_steps(api, steps)


def _index(api: Api, evals: Path) -> None:
    line("2. Context: documents cut, embedded with all-MiniLM-L6-v2, indexed in Chroma")
    for collection, path in COLLECTIONS.items():
        added = take_in(api, collection, read_documents(evals / path))
        reindexed = api.post(f"/collections/{collection}/reindex", {})
        told = f"{added['added']} documents added, {added['unchanged']} unchanged"
        line(f"   {collection}: {told}, {reindexed['chunks']} passages indexed")
    found = api.post(
        "/collections/support.handbook/query", {"query": "My new card has not come. How long does it take?", "k": 1}
    )
    for passage in found["passages"]:
        line(f"   asked “How long does a new card take?”: {passage['document']}, cosine {passage['score']:.2f}")


def _evaluate(api: Api, evals: Path) -> Any:
    line("3. Evaluation: two versions on the local chat model SmolLM2-135M, the same cases")
    return running.run_suite(api, str(evals / "support_triage.yaml"), {}, baseline=LABEL)


def _review(api: Api, run: Any) -> None:
    line("4. Review: the candidate's failed cases, for people to judge")
    candidate = next(variant["name"] for variant in run["variants"] if variant["role"] == "candidate")
    added = review.fill(api, QUEUE, run["id"], only="failed", variant=candidate, instructions=review.INSTRUCTIONS, slots=1)
    line(f"   {review.told(QUEUE, added)}")


def _key(api: Api) -> str:
    """Make the demo's key anew, and end the one of an earlier demo, whose text nobody has any more."""
    for held in list(api.items("/keys")):
        if held["name"] == REVIEWER and held["revoked_at"] is None:
            api.delete(f"/keys/{held['id']}")
    return str(api.post("/keys", {"name": REVIEWER, "role": "author"})["key"])


def _tell(run: Any, exit_after: bool) -> None:
    variants = {variant["role"]: variant for variant in run["variants"]}
    line("5. What to do with it")
    if run["verdict"] == "pass" and "baseline" in variants:
        version = variants["candidate"]["version"]
        line(f'   promptuary label set {PROMPT} {LABEL} {version} --reason "{run["id"]}: {run["verdict"]}"')
    line(f"   promptuary eval show {run['id']}")
    if exit_after:
        line("   promptuary up    # API, worker, UI, Chroma and MLflow on what the demo left in PROMPTUARY_DATA_DIR")
