"""The demo's judge: a small model judges answers, and labels that people wrote correct its mean."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from promptuary.cli.connection import ApiClient
from promptuary.cli.evaluation import suite_run
from promptuary.cli.evaluation.interruption import interruption
from promptuary.cli.evaluation.local_execution import LocalExecution
from promptuary.cli.evaluation.reports import read_run
from promptuary.cli.output import print_line
from promptuary.core.clock import wall_clock

if TYPE_CHECKING:
    from promptuary.evaluation.reports.reported_run import ReportedRun

QUEUE = SUITE = "support.judged"
METRIC, LABELS = "right", 36
INSTRUCTIONS = "Is the answer right? Approve it where it names the expected fact, else reject it."


def compare_judge(api: ApiClient, evals: Path) -> None:
    """Run the judged suite, label a random slice of its answers, and print the judge's mean beside the corrected one."""
    from promptuary.evaluation.reports.corrections import correction_lines

    print_line("5. A judge beside people: SmolLM2-135M judges 40 answers that are there already")
    assert api.services is not None  # this process has the service
    with interruption() as signals:
        paths, options = [str(evals / "support_judged.yaml")], suite_run.RunOptions()
        (run,) = suite_run.run_suites(api, paths, options, LocalExecution(api.services), signals)
    labels = _label(api, run, evals / "labels" / "answers.jsonl")
    print_line(f"   {QUEUE}: {labels} labels of a random slice, written by hand (evals/labels/answers.jsonl)")
    for line in correction_lines(read_run(api, run.id)):
        print_line(f"   {line}")


def _label(api: ApiClient, run: "ReportedRun", path: Path) -> int:
    """Draw a random slice of a run's answers, and decide each as the file has it; return how many were decided."""
    decisions = {label["case"]: label["decision"] for label in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    queue = f"/queues/{QUEUE}"
    api.put(queue, {"instructions": INSTRUCTIONS, "judge": {"metric": METRIC, "passes": ["approve"], "fails": ["reject"]}})
    api.post(f"{queue}/items", {"run": run.id, "sample": {"size": LABELS, "seed": 1}})
    decided = 0
    while (claim := api.post(f"{queue}/claims", {})) is not None:
        decision = decisions[claim["item"]["payload"]["case"]]
        seen_at = wall_clock().isoformat()
        api.post(f"/claims/{claim['id']}/submit", {"nonce": claim["nonce"], "decision": decision, "seen_at": seen_at})
        decided += 1
    return decided
