"""Writes `verdicts.json` beside each promptfoo file of this folder, by promptfoo itself.

python generate.py npx promptfoo@0.121.20
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def verdicts(results: Any) -> list[dict[str, Any]]:
    """Give what promptfoo said of each output, in the order of tests, repeats and prompts."""
    found = sorted(results["results"]["results"], key=lambda one: (one["testIdx"], one["promptIdx"]))
    return [
        {
            "prompt": one["promptIdx"],
            "output": one["response"]["output"],
            "pass": one["success"],
            "score": one["score"],
            "namedScores": one["namedScores"],
        }
        for one in found
    ]


def main(command: list[str]) -> None:
    """Run promptfoo on each folder; it is told to send nothing, and ends with 100 where a test fails, as some do."""
    for config in sorted(HERE.glob("*/promptfooconfig.yaml")):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out.json")
            quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_CONFIG_DIR": folder}
            words = [*command, "eval", "-c", config.name, "--no-cache", "--no-table", "--no-share", "-o", str(out)]
            subprocess.run(
                words, cwd=config.parent, env=os.environ | quiet, check=False, capture_output=True
            )  # 100: some failed
            said = verdicts(json.loads(out.read_text(encoding="utf-8")))
        (config.parent / "verdicts.json").write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
