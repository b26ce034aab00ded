"""What the page on judges, code and webhooks says is so: its figures and settings are the code's."""

from pathlib import Path

from promptuary.base.settings import Settings
from promptuary.base.webhook import ANSWER_LIMIT
from promptuary.evaluation.scorers import code, code_child, inline, webhook
from promptuary.evaluation.scorers.graded import SCORES
from promptuary.evaluation.scorers.registry import kinds

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "judges.md").read_text()
WORDS = " ".join(PAGE.split())


def test_the_limits_are_the_codes() -> None:
    assert f"nothing within {code.SECONDS:g} seconds" in WORDS
    assert f"at most {code_child.MEMORY // 1024**3} GiB of memory" in WORDS
    assert f"at most {inline.FILE_LIMIT // 1024} KiB" in WORDS
    assert f"{webhook.SECONDS:g} seconds and {ANSWER_LIMIT // 1024} KiB" in WORDS


def test_the_scores_of_facts_are_the_codes() -> None:
    for name, (_, score) in SCORES.items():
        assert f"`{name}` {score:g}" in WORDS


def test_the_settings_are_there_and_off() -> None:
    assert not Settings.model_fields["code_scorers"].default
    assert not Settings.model_fields["webhook_hosts"].default
    for name in ("CODE_SCORERS", "WEBHOOK_HOSTS"):
        assert f"PROMPTUARY_{name}" in WORDS
        assert name.lower() in Settings.model_fields


def test_what_has_no_prompt_of_its_own_is_named() -> None:
    without = [name for name, kind in kinds().items() if kind.judged and kind.config is None]
    assert without == ["context-faithfulness"]
    assert "`context-faithfulness` asks two questions and takes none" in WORDS
