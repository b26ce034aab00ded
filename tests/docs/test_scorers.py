"""The page on scorers: its table has every type, its examples are accepted, its defaults are the code's."""

import asyncio
import json
import re
from typing import Any

import pytest
import yaml

from factories.scorers import score_sample
from paths import ROOT
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.scorers.catalog import scorer_types
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, NoValue, ScorerSettings, ScorerType
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.verdict.aggregate import EXTRA_METRICS_LIMIT

PAGE = (ROOT / "docs" / "scorers.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## Types")[2].partition("## Patterns")[0].splitlines()
    if line.startswith("| `")
]
TYPES = {name: row for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])}


def nobody(*_: Any, **__: Any) -> Any:
    raise AssertionError("a scorer asks nobody while it is built")


def test_every_type_has_a_row_and_every_row_a_type() -> None:
    missing, unknown = sorted(set(scorer_types()) - set(TYPES)), sorted(set(TYPES) - set(scorer_types()))
    assert (missing, unknown) == ([], []), f"rows to write: {missing}; rows to take out: {unknown}"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_row_describes_the_type(name: str) -> None:
    scorer_type, row = scorer_types()[name], TYPES[name]
    assert len(row) == 4
    assert bool(row[2]) == (scorer_type.threshold is not None)
    assert ("required" in row[2]) == (scorer_type.threshold is not None and scorer_type.threshold.required)
    assert row[0].endswith("*") == (not scorer_type.invertible)


@pytest.mark.parametrize(
    ("name", "default"),
    [(name, float(defaults[0])) for name, row in TYPES.items() if (defaults := re.findall(r"(?:^|, )([\d.]+)$", row[2]))],
)
def test_a_default_threshold_is_the_codes(name: str, default: float) -> None:
    scorer_type = scorer_types()[name]
    config = ({} if scorer_type.value_error("x") else {"value": "x"}) | ({"model": "echo:"} if scorer_type.judged else {})
    scorer: Any = build_scorer(ScorerSpec.model_validate({"type": name, **config}), ScorerDependencies(embed=list, ask=nobody))
    assert scorer.threshold == default


FITTING_AND_NOT = ({"email": "a@b.org", "born": None}, {"email": "nope", "born": "2001-02-03"})


def test_the_examples_are_taken() -> None:
    suite, case, schema = re.findall(r"```(?:yaml|json)\n(.*?)```", PAGE, re.S)
    assert [ScorerSpec.model_validate(spec).type_name for spec in yaml.safe_load(suite)["scorers"]]
    assert CaseIn.model_validate(json.loads(case)).case().threshold == 0.5
    (checked,) = yaml.safe_load(schema)
    results = [score_sample(ScorerInput(Case("c", {}), json.dumps(output)), **checked) for output in FITTING_AND_NOT]
    assert [result.passed for result in results] == [True, False]
    for spec in re.findall(r"`(\{type: .*?\})`", PAGE):
        ScorerSpec.model_validate(yaml.safe_load(spec))


def test_the_type_of_ones_own_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {"__name__": "loud"}
    exec(code, names)
    scorer_type = names["SHOUTS"]
    assert isinstance(scorer_type, ScorerType)
    settings = ScorerSettings("shouts", 1.0, False, NoValue(), NoConfig())
    scorer = scorer_type.build(settings, ScorerDependencies(embed=list, ask=nobody))
    case = CaseIn(id="c", vars={}).case()
    assert asyncio.run(scorer.score(ScorerInput(case, "LOUD"))).passed


def test_the_figure_of_metrics_is_the_codes() -> None:
    assert f"at most {EXTRA_METRICS_LIMIT} metrics" in PAGE
