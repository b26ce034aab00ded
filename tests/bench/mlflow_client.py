"""The cost of MLflow's `load_prompt`, from its cache and from its registry: the references for the client's figures."""

import os
import tempfile
import timeit
from pathlib import Path

Row = tuple[str, float, str]
ROUNDS, TIMES = 10, 200


def rows() -> list[Row]:
    """Load a prompt by its alias from an MLflow registry on SQLite; return each figure's name, value and unit."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{Path(folder) / 'mlflow.db'}"
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        mlflow.genai.register_prompt("bench", "Answer {{question}} in {{language}}.")
        mlflow.genai.set_prompt_alias("bench", "production", 1)
        name = "prompts:/bench@production"
        cached = min(timeit.repeat(lambda: mlflow.genai.load_prompt(name), number=TIMES, repeat=ROUNDS)) / TIMES * 1e6
        uncached = (
            min(timeit.repeat(lambda: mlflow.genai.load_prompt(name, cache_ttl_seconds=0), number=5, repeat=ROUNDS)) / 5 * 1e6
        )
    return [("MLflow's load_prompt, cached", cached, "µs"), ("MLflow's load_prompt, not cached", uncached, "µs")]
