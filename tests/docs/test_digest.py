"""The page about the digest, compared with the code that computes it."""

import doctest
import hashlib
import re

from paths import ROOT
from promptuary.prompt.canonical_json import canonical_json
from promptuary.prompt.content import Content
from promptuary.prompt.digest import ADDED_PARTS, DIGESTED_PARTS, ORDERED_PARTS, content_digest, content_json

PAGE = (ROOT / "docs" / "digest.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_prints_what_the_page_has() -> None:
    test = doctest.DocTestParser().get_doctest(PAGE.replace("\n```", "\n"), {}, "digest.md", "digest.md", 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_example_has_the_form_and_the_digest_of_the_page() -> None:
    form = re.search(r"(?m)^```\n(\{.*\})\n```$", PAGE)
    digest = re.search(r"sha256:[0-9a-f]{64}", PAGE)
    assert form is not None
    assert digest is not None
    assert "sha256:" + hashlib.sha256(form[1].encode()).hexdigest() == digest[0]
    content = Content.model_validate({"type": "text", "template": "Hi {{name}}", "config": {"z": 1.0, "a": None}})
    assert content_digest(content) == digest[0]
    assert len(canonical_json(content_json(content))) == len(form[1]) - len(".0")


def test_the_page_names_every_part() -> None:
    always, added = (re.findall(r"`(\w+)`", row) for row in re.findall(r"(?m)^\| (`.*?) \| ", PAGE))
    assert always == list(DIGESTED_PARTS)
    assert set(added) <= set(ADDED_PARTS)
    assert all(f"`{part}`" in PAGE for part in ORDERED_PARTS)
