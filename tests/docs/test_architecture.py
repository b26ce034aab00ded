"""The page on the architecture names modules that exist, and every layer; the indexes name every page and every record."""

import re

import pytest

from paths import ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "server" / "promptuary"
PATHS = sorted(set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", PAGE)))


@pytest.mark.parametrize("path", PATHS)
def test_a_module_of_the_page_exists(path: str) -> None:
    assert (PACKAGE / path).exists() or (ROOT / path).exists()


def test_every_folder_of_the_package_is_a_layer_of_the_page() -> None:
    layers = PAGE.partition("```")[2].partition("```")[0]
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists() and path.name != "migrations"}
    assert {folder for folder in folders if not re.search(rf"(?m)^.*\b{folder}\b", layers)} == set()


def test_the_index_of_decisions_lists_every_record() -> None:
    index = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    titles = {path.name: path.read_text(encoding="utf-8").partition("\n")[0] for path in (DOCS / "adr").glob("0*.md")}
    for name, title in titles.items():
        number, _, text = title.removeprefix("# ").partition(". ")
        assert f"| {number} | [{text}]({name}) |" in index


def test_the_index_of_the_documentation_lists_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert {page.name for page in DOCS.glob("*.md") if f"]({page.name})" not in index} == {"README.md"}
