"""Streamlit finds the files of the components in an installed package: an editable one, and one from the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from paths import ROOT

pytestmark = pytest.mark.process
SCAN = """
from streamlit.components.v2.component_manager import BidiComponentManager
manager = BidiComponentManager()
manager.discover_and_register_components(start_file_watching=False)
print(manager.get_component_path("promptuary.review_card"), manager.get_component_path("promptuary.redirect"))
"""


def folders(*path: Path) -> list[Path]:
    """Return the folders of the components, as an interpreter with these folders on its path finds them."""
    environment = {"PYTHONPATH": ":".join(map(str, path))}
    output = subprocess.run([sys.executable, "-c", SCAN], env=environment, capture_output=True, text=True, check=True).stdout
    return [Path(folder) for folder in output.split()]


def test_the_files_of_a_checkout_are_found() -> None:
    card, redirect = folders(ROOT / "server", ROOT / "ui")
    assert {"card.js", "card.css"} <= {file.name for file in card.iterdir()}
    assert (redirect / "redirect.js").is_file()


def test_the_files_of_a_wheel_are_found(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    card, redirect = folders(tmp_path / "installed")
    assert card.is_relative_to(tmp_path)
    sources = ROOT / "server" / "promptuary" / "ui_assets" / "review_card"
    assert {file.name for file in card.iterdir()} == {file.name for file in sources.iterdir()}
    assert (redirect / "redirect.js").is_file()
