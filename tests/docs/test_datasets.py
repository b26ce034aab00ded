"""The examples of the page on datasets: each file is read as the page describes, and all formats have the same cases."""

import re
from pathlib import Path

import pytest

from paths import ROOT
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_file import read_case_file
from promptuary.evaluation.datasets.readers.formats import SUFFIXES
from promptuary.evaluation.datasets.upload import MEDIA_TYPES

PAGE = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.M | re.S))
FAQ = {"question": "Where is my card?", "answer": "In the post, for five days"}
TICKET = Case("t-1", {"ticket": "My card has not come"}, "card_arrival", "customer-7", ("card",))


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("tickets.jsonl", TICKET),
        ("tickets.csv", TICKET),
        ("faq.csv", Case("1", dict(FAQ), FAQ["answer"])),
        ("faq.json", Case("1", dict(FAQ), FAQ["answer"])),
    ],
)
def test_each_example_is_read_as_the_page_describes(tmp_path: Path, name: str, case: Case) -> None:
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8")
    assert list(read_case_file(path)) == [case]


def test_the_page_names_every_suffix_and_every_content_type() -> None:
    assert all(f"`{name}`" in PAGE for name in (*SUFFIXES, *MEDIA_TYPES))
