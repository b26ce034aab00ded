"""The library of JSON Schema is imported without its parser of IRIs, which works when it is needed."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
from promptuary.prompt.json_schema.library import jsonschema
before = [name for name in ("rfc3987_syntax", "lark") if name in sys.modules]
checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
accepted = [checker.conforms(text, "iri") for text in ("https://example.org/ä", "no iri")]
print(json.dumps([before, accepted, "lark" in sys.modules]))
"""


@pytest.mark.process
def test_the_parser_of_iris_is_imported_when_an_iri_is_checked() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    before, accepted, after = json.loads(done.stdout)
    assert (before, accepted, after) == ([], [True, False], True)
