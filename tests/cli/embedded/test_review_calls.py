"""Direct calls of reviews return what the routes return, and import no web framework."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import restored_process_state, unit_of_work_on
from factories.reviews import Reviews
from promptuary.cli.connection import ApiClient
from promptuary.cli.embedded.service import EmbeddedService
from promptuary.prompt.errors import PromptuaryError
from promptuary.review.queues.choice import DEFAULT_CHOICES
from promptuary.review.queues.label_schema import FieldType, LabelField, LabelSchema
from promptuary.review.queues.service import NewItem

READS: list[tuple[str, dict[str, Any]]] = [
    ("/queues", {}),
    ("/queues", {"limit": 1}),
    ("/queues", {"cursor": "nonsense"}),
    ("/queues/pairs/agreement", {}),
    ("/queues/empty/agreement", {}),
    ("/queues/unknown/agreement", {}),
    ("/queues/Not%20a%20name/agreement", {}),
    ("/queues/pairs/position-bias", {}),
    ("/queues/pairs/position-bias", {"field": "better"}),
    ("/queues/pairs/position-bias", {"field": "unknown"}),
    ("/queues/empty/ranking", {}),
    ("/queues/pairs/ranking", {"field": "better"}),
]


@pytest.fixture
def embedded(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedService]:
    """The service on a queue of pairs, which two people have decided, and on an empty queue."""
    schema = LabelSchema(fields=(LabelField("better", FieldType.PREFERENCE, "Better", required=True),))
    with unit_of_work_on(data_dir) as unit:
        lead = Reviews(unit)
        lead.put_queue("empty")
        lead.put_queue("pairs", choices=DEFAULT_CHOICES, slots=2, schema=schema, undo_seconds=0)
        sides = {"first": {"variant": "v1", "output": "one"}, "second": {"variant": "v2", "output": "two"}}
        items = [NewItem(f"item-{number}", {"input": {"n": number}}, pair_sides=sides) for number in range(4)]
        lead.queues.add_items("pairs", items)
        for name, preferences in (("ann", ["left", "left", "tie", "right"]), ("ben", ["left", "right", "tie", "right"])):
            reviews = Reviews(replace(unit, caller=replace(unit.caller, identity=f"key:{name}")))
            for preference in preferences:
                claimed = reviews.claims.claim("pairs")
                assert claimed is not None
                reviews.submit(claimed.claim.id, claimed.claim.nonce, labels={"better": preference})
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(data_dir))
    with restored_process_state(), closing(EmbeddedService(None)) as service:
        yield service


@pytest.mark.parametrize(("path", "query"), READS)
def test_both_ways_return_the_same_figures(embedded: EmbeddedService, path: str, query: dict[str, Any]) -> None:
    through_app = ApiClient(embedded.client).get

    def outcome(get: Any) -> Any:
        try:
            return json.dumps(get(path, **query))
        except PromptuaryError as error:
            return type(error).__name__, error.code, error.message

    assert outcome(ApiClient(embedded=embedded).get) == outcome(through_app)


def test_a_command_about_agreement_imports_no_web_framework(embedded: EmbeddedService, data_dir: Path) -> None:
    program = (
        "import sys; from promptuary.cli.connection import connect\n"
        "with connect() as api: api.get('/queues/pairs/agreement'); list(api.items('/queues'))\n"
        "print([name for name in ('fastapi', 'uvicorn') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout.strip(), ended.stderr) == ("[]", "")
