"""Scorer types of other packages: the tests write real packages into a folder, with the metadata of an installer."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptuary.api.app import create_app
from promptuary.core.errors import BrokenPlugin
from promptuary.core.settings import read_settings
from promptuary.evaluation.scorers.catalog import find_scorer_type, scorer_types
from promptuary.evaluation.scorers.plugins import load_plugins
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.worker.assembly import build_worker

Install = Callable[..., None]
MODULE = """\
from dataclasses import dataclass

from promptuary.evaluation.scorers.score import BaseScorer
from promptuary.evaluation.scorers.scorer_type import NoValue, ScorerType


@dataclass(frozen=True)
class Shouts(BaseScorer):
    async def score(self, sample):
        return self.pass_or_fail(sample.output.isupper(), "looked for capitals")


SHOUTS = ScorerType(NoValue, lambda settings, dependencies: Shouts(*settings.base))
TWO = {"shouts": SHOUTS, "yells-loud": SHOUTS}
TAKEN = {"contains": SHOUTS}
ODD = {"Shouts!": SHOUTS}
NOT = {"not-shouts": SHOUTS}
NUMBER = 5
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of this name with these entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))
    scorer_types.cache_clear()
    modules = set(sys.modules)

    def write_package(package: str, points: str, module: str = MODULE) -> None:
        (tmp_path / f"{package}.py").write_text(module)
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[promptuary.scorers]\n{points}\n")

    yield write_package
    scorer_types.cache_clear()
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_without_plug_ins_only_the_built_in_types_exist() -> None:
    assert load_plugins(()) == {}


def test_an_entry_point_has_one_type_under_its_name_or_several(install: Install) -> None:
    install("loud", "loud = loud:SHOUTS\nmore = loud:TWO")
    assert {"loud", "shouts", "yells-loud"} <= set(scorer_types())
    assert ScorerSpec.model_validate({"type": "not-yells-loud"}).type_name == "yells-loud"
    assert find_scorer_type("loud") is find_scorer_type("shouts")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("x = loud:NOBODY", "does not load (AttributeError"),
        ("x = absent:SHOUTS", "does not load (ModuleNotFoundError"),
        ("x = loud:TAKEN", "takes the type 'contains', which Promptuary has"),
        ("x = loud:ODD", "has the type 'Shouts!', which is no name"),
        ("x = loud:NOT", "has the type 'not-shouts', which is no name"),
        ("x = loud:NUMBER", "has int for 'x', where a ScorerType is needed"),
    ],
)
def test_a_broken_plug_in_is_an_error_that_names_its_package(install: Install, points: str, message: str) -> None:
    install("loud", points)
    with pytest.raises(BrokenPlugin, match="the plug-in 'x' of the package 'loud'") as raised:
        scorer_types()
    assert message in str(raised.value)
    assert "repair the package 'loud' or uninstall it" in str(raised.value)


def test_two_packages_cannot_have_the_same_type(install: Install) -> None:
    install("loud", "shouts = loud:SHOUTS")
    install("noisy", "shouts = noisy:SHOUTS")
    with pytest.raises(BrokenPlugin, match="of the package 'noisy' takes the type 'shouts', which the package 'loud' has"):
        scorer_types()


def test_neither_server_nor_worker_starts_with_a_broken_plug_in(install: Install, tmp_path: Path) -> None:
    install("loud", "x = loud:NUMBER")
    settings = read_settings(data_dir=tmp_path / "data")
    with pytest.raises(BrokenPlugin):
        create_app(settings)
    with pytest.raises(BrokenPlugin), build_worker(settings):
        raise AssertionError("the worker has started")
    assert not list(tmp_path.rglob("*.db"))
