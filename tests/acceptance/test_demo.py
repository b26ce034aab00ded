"""`promptuary demo`: the whole loop on the checkout's own prompts and suites, with fewer cases."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paths import ROOT as CHECKOUT

pytestmark = [pytest.mark.acceptance, pytest.mark.model]
DATASET = "evals/datasets/tickets.jsonl"
FIGURE = r"[+−]?\d\.\d{3} \[[+−]?\d\.\d{3}, [+−]?\d\.\d{3}\]"


class Checkout:
    """A copy of the checkout's prompts and suites."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(folder / "data")}
        for name in ("prompts", "evals"):
            shutil.copytree(CHECKOUT / name, folder / name)

    def keep(self, cases: int) -> None:
        """Truncate the dataset to its first cases."""
        lines = (CHECKOUT / DATASET).read_text().splitlines(keepends=True)
        (self.folder / DATASET).write_text("".join(lines[:cases]))

    def run(self, *words: str) -> str:
        """Run a command in the copy, and return its output."""
        done = subprocess.run(
            [sys.executable, "-m", "promptuary.cli.main", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))


def test_the_demo_goes_round_the_whole_loop_and_may_be_run_again(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.keep(12)
    output = checkout.run("demo", "--exit")

    assert "+ support.triage  version 1, production → 1" in output
    assert "+ support.triage  version 2, staging → 2" in output
    passages = {name: int(number) for name, number in re.findall(r"(support\.\w+): .*, (\d+) passages indexed", output)}
    assert passages.keys() == {"support.tickets", "support.handbook"}
    assert all(passages.values())
    assert re.search(r"query “.*”: delivery, cosine 0\.\d\d", output)

    run_id = the_run(output)
    for version in ("v2", "v1"):
        assert re.search(rf"^  {version}  exact {FIGURE}, similar {FIGURE}", output, re.MULTILINE)
    assert re.search(rf"^  v2 − v1  exact {FIGURE}$", output, re.MULTILINE)
    assert "0 of 24 without an answer" not in output
    run = checkout.json("eval", "show", run_id)
    assert len(run["results"]) == 24
    assert all(result["output"] for result in run["results"])
    assert run["tracking_id"] == tracked(output)
    failed = [result for result in run["results"] if result["variant"] == "v2" and result["pass"] is False]
    assert f"support.triage: {len(failed)} items added, 0 in the queue already" in output

    assert "support.judged: 36 labels of a random slice, written by hand" in output
    assert re.search(rf"right of answers  judge alone {FIGURE}; corrected {FIGURE} by 36 labels", output)

    assert_traffic(checkout, output)

    before = checkout.json("prompts")
    moves = checkout.json("label", "history", "support.triage", "production")
    checkout.keep(2)
    again = checkout.run("demo", "--exit")
    assert "= support.triage  version 2 exists already" in again
    assert "0 documents added, 168 unchanged" in again
    assert the_run(again) != run_id
    assert tracked(again) != tracked(output)
    assert checkout.json("prompts") == before
    assert checkout.json("label", "history", "support.triage", "production") == moves
    assert [key["revoked_at"] is None for key in checkout.json("key", "list")].count(True) == 1
    assert checkout.json("audit", "verify")["broken_at"] is None


def assert_traffic(checkout: Checkout, output: str) -> None:
    """Check what the demo printed of its traffic against what the service has."""
    reported = re.search(r"(\d+) calls in \d+ s through the client, and feedback on (\d+) of them at once", output)
    late = re.search(r"then late feedback on (\d+); sent (\d+) reports, dropped 0", output)
    assert reported is not None, output
    assert late is not None, output
    feedback = int(reported[2]) + int(late[1])
    assert int(late[2]) == int(reported[1]) + feedback
    total = checkout.json("traffic", "show", "support.triage")["total"]
    assert (total["calls"], total["feedback"]["count"], total["replayable"]["value"]) == (int(reported[1]), feedback, 1.0)

    calls = checkout.json("traffic", "observations", "support.triage", "--limit", "200")
    strata = {stratum: [call for call in calls if call["stratum"] == stratum] for stratum in ("random", "low_feedback")}
    assert f"The sample: {len(calls)} calls with their contents" in output
    for stratum, probability in (("random", 0.25), ("low_feedback", 1)):
        assert {call["probability"] for call in strata[stratum]} == {probability}
        assert f"{stratum}: {len(strata[stratum])} calls, each stored with probability {probability}" in output
    assert re.search(rf"support\.real v1: \d+ cases added of {len(calls)} sampled calls", output)

    match = re.search(r"^support\.production  run (run_\w+)  \d+ results$", output, re.MULTILINE)
    assert match is not None, output
    assert f"replayed {len(calls)} of {len(calls)} sampled calls" in output
    assert re.search(rf"^  v2 − production  is_intent {FIGURE}$", output, re.MULTILINE)
    replay = checkout.json("eval", "show", match[1])
    assert {result["case"] for result in replay["results"]} == {call["id"] for call in calls}
    assert re.search(rf"minus production is .* over {len(calls)} cases, weighted, as \d+ of equal weight; .* → pass", output)


def the_run(output: str) -> str:
    match = re.search(r"^support\.triage  run (run_\w+)  \d+ results$", output, re.MULTILINE)
    assert match is not None, output
    return match[1]


def tracked(output: str) -> str:
    match = re.search(r"^  MLflow run: ([0-9a-f]{32})$", output, re.MULTILINE)
    assert match is not None, output
    return match[1]
