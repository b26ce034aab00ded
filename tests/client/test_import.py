"""What an application pays for the import of the client."""

import json
import subprocess
import sys

IMPORT = """
import json, sys
import promptuary
promptuary.Promptuary
from promptuary.prompt.content import Content
built = Content.__pydantic_complete__
Content.model_validate({"type": "text", "template": "Hi {{name}}"})
print(json.dumps([built, Content.__pydantic_complete__, sorted({"asyncio", "httpx"} & set(sys.modules))]))
"""


def test_the_content_models_are_built_with_the_first_content() -> None:
    ran = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(ran.stdout) == [False, True, []]
