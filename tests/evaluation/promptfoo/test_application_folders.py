"""promptfoo files with applications, run on a stub: each verdict and output is promptfoo 0.121.20's."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from doubles.application import LoopbackApplication, serve_application
from doubles.promptfoo_stub import PromptfooStub
from paths import GOLDEN
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import read_settings
from promptuary.evaluation.applications.answer import output_text
from promptuary.evaluation.execution.runner import Runner
from promptuary.evaluation.execution.work import work_items
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.plan import CaseResult, DatasetRef, Plan, Variant
from promptuary.evaluation.promptfoo.translation import Translation, UnsupportedParts, translate
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.per_case import CaseScorers
from promptuary.evaluation.scorers.transforms.run_transforms import RunTransforms
from promptuary.evaluation.suites.suite import suite_to_json
from promptuary.evaluation.summary_model import VariantRole
from promptuary.evaluation.targets.builder import TargetBuilder
from promptuary.evaluation.targets.permissions import TargetPermissions

pytestmark = pytest.mark.process
FOLDERS = GOLDEN / "promptfoo-applications"
NAMES = sorted(path.name for path in FOLDERS.iterdir())
ADDRESS = "127.0.0.1:8640"


@pytest.fixture(scope="module")
def stub() -> Iterator[LoopbackApplication]:
    with serve_application(PromptfooStub()) as application:
        yield application


def run(translation: Translation, folder: Path, engine: JavaScriptEngine) -> list[CaseResult]:
    """Run a translated file, and return its results by test, then by application."""
    suite, settings = translation.suite, read_settings(command_line=True, code_scorers=True, code_path=str(folder))
    variants = tuple(
        Variant(target.variant_name, VariantRole.CANDIDATE, "", None, None, target.digest, target=target.label)
        for target in suite.targets
    )
    dataset = DatasetRef(1, "d", 1, "sha256:d", len(translation.cases))
    plan = Plan(suite_to_json(suite), "sha256:s", dataset, variants, 1, 1)

    async def execute() -> list[CaseResult]:
        batches = runner.run(work_items(plan, translation.cases))
        return [result async for batch in batches for result in batch]

    with ExitStack() as closing:
        dependencies = ScorerDependencies(_nobody, _nobody, code=True, closing=closing.callback, javascript=engine)
        database, permissions = Database(f"sqlite:///{folder}/none.db"), TargetPermissions.of(settings)
        builder = TargetBuilder(database, permissions, settings, engine, ends_run=False)
        runner = Runner(
            target=builder.build(plan, suite),
            scorers=CaseScorers.build(suite.scorers, dependencies, suite.threshold),
            concurrency=1,
            timeout=120.0,
            clock=wall_clock,
            transforms=RunTransforms.build(suite.transform, suite.model_transforms, dependencies),
        )
        return sorted(asyncio.run(execute()), key=lambda result: result.ordinal)


def _nobody(*_: Any, **__: Any) -> Any:
    raise AssertionError("these scorers ask nobody")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_with_an_application_has_promptfoos_verdicts(
    name: str, stub: LoopbackApplication, engine: JavaScriptEngine, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(FOLDERS / name, tmp_path / name))
    config = folder / "promptfooconfig.yaml"
    config.write_text(config.read_text().replace(ADDRESS, stub.url.removeprefix("http://")))
    expected = json.loads((folder / "expected.json").read_text())
    if expected.get("abort"):
        with pytest.raises(UnsupportedParts):
            translate(config)
        return
    results = run(translate(config), folder, engine)
    assert len(results) == len(expected["results"])
    for result, reference in zip(results, expected["results"], strict=True):
        verdict = reference["expected"]
        if verdict.get("error"):
            assert (result.passed, result.score) == (None, None), result
            continue
        assert (result.passed, result.score) == (verdict["pass"], verdict["score"]), (
            result.output,
            result.error,
            result.detail,
        )
        assert result.output == output_text(_own(reference["output"]))


def _own(output: Any) -> Any:
    """Return an output without the header that promptfoo adds to its requests."""
    return (
        {name: value for name, value in output.items() if name != "x-promptfoo-version"} if isinstance(output, dict) else output
    )
