"""The figures and settings on the page on judges, code and webhooks are the code's."""

from paths import ROOT
from promptuary.core.outbound_http import RESPONSE_LIMIT
from promptuary.core.settings import Settings
from promptuary.evaluation.scorers import file_values
from promptuary.evaluation.scorers.catalog import scorer_types
from promptuary.evaluation.scorers.code import child_main, code_process, webhook
from promptuary.evaluation.scorers.judge.graded import SCORES

PAGE = (ROOT / "docs" / "judges.md").read_text()
WORDS = " ".join(PAGE.split())


def test_the_limits_are_the_codes() -> None:
    assert f"nothing within {code_process.CALL_SECONDS:g} seconds" in WORDS
    assert f"at most {child_main.MEMORY_LIMIT // 1024**3} GiB of memory" in WORDS
    assert f"at most {file_values.FILE_LIMIT // 1024} KiB" in WORDS
    assert f"{webhook.TIMEOUT_SECONDS:g} seconds and {RESPONSE_LIMIT // 1024} KiB" in WORDS


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
    without = [name for name, kind in scorer_types().items() if kind.judged and kind.config is None]
    assert without == ["context-faithfulness"]
    assert "`context-faithfulness` asks two questions and takes none" in WORDS
