"""The library of JSON Schema imports the parser of IRIs that an installation may have when it is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
from promptuary.prompt.json_schema.jsonschema_package import jsonschema
before = "grammar" in sys.modules
checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
accepted = [checker.conforms(text, "iri") for text in ("https://example.org/ä", "no iri")]
print(json.dumps([before, accepted, "grammar" in sys.modules]))
"""
PARSER = """
import grammar

def is_valid_syntax(term, text):
    return term == "iri" and " " not in text
"""


@pytest.mark.process
def test_a_parser_of_iris_is_imported_when_an_iri_is_checked(tmp_path: Path) -> None:
    (tmp_path / "rfc3987_syntax.py").write_text(PARSER)
    (tmp_path / "grammar.py").write_text("")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    before, accepted, after = json.loads(done.stdout)
    assert (before, accepted, after) == (False, [True, False], True)
