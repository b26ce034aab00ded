"""The lines of `review agreement` about the items on which reviewers disagree."""

from promptuary.cli.review.disagreements import disagreement_lines

SETTLED = {
    "source": "run_1/2",
    "payload": {"case": "c-024"},
    "differing": ["decision", "tone"],
    "adjudications": [{"label": "decision", "value": "reject", "adjudicator": "Lea"}],
}


def test_an_item_is_named_by_its_case_with_what_was_settled() -> None:
    agreement = {"finished_only": False, "disagreements": ["run_1/2", "run_1/3", "run_1/4"]}
    open_one = {"source": "item-3", "payload": {}, "differing": ["decision"], "adjudications": []}
    assert list(disagreement_lines(agreement, [SETTLED, open_one])) == [
        "disagreement: c-024 (run_1/2): decision settled as reject by Lea, tone open",
        "disagreement: item-3: decision open",
        "disagreement: 1 more items, which lack decisions",
    ]


def test_a_reviewer_reads_the_items_alone() -> None:
    assert list(disagreement_lines({"finished_only": True, "disagreements": ["i1"]}, [])) == ["disagreement: i1"]
