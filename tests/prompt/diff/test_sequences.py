"""The line diff: properties for any text, the shortest edit path, and the known output of `diff -U3`."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.diff.sequences import common_runs, edits, unified_diff

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "-x", "+y", "@@ z"]), max_size=12).map("\n".join)
WORDS = st.text(alphabet="ab", max_size=12)


def apply_diff(before: str, diff: str) -> str:
    """Apply a unified diff, and check its line numbers and its removed and unchanged lines."""
    old, new = before.split("\n"), []
    position = 0
    for line in diff.split("\n") if diff else []:
        if match := re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", line):
            hunk_start = int(match[1]) - (0 if match[2] == "0" else 1)
            new += old[position:hunk_start]
            position = hunk_start
            assert len(new) == int(match[3]) - (0 if match[4] == "0" else 1)
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[position] == line[1:]
            if line[0] == " ":
                new.append(line[1:])
            position += 1
    return "\n".join(new + old[position:])


def edit_distance(before: str, after: str) -> int:
    """Compute the least number of insertions and deletions with the textbook's table (dynamic programming)."""
    row = list(range(len(after) + 1))
    for number, left in enumerate(before, 1):
        above, row = row, [number]
        for column, right in enumerate(after, 1):
            row.append(above[column - 1] if left == right else 1 + min(above[column], row[-1]))
    return row[-1]


@given(TEXTS, TEXTS, st.sampled_from([0, 1, 10, 2_000_000]))
def test_a_diff_applied_to_the_old_text_results_in_the_new_text(before: str, after: str, effort: int) -> None:
    diff = unified_diff(before, after, effort)
    assert apply_diff(before, diff) == after
    assert (diff == "") == (before == after)


@given(WORDS, WORDS)
def test_no_shorter_list_of_edits_exists(before: str, after: str) -> None:
    lengths = [edit.end - edit.start + edit.new_end - edit.new_start for edit in edits(before, after)]
    assert sum(lengths) == edit_distance(before, after)


@given(WORDS, WORDS)
def test_matches_are_equal_and_in_order(before: str, after: str) -> None:
    matches = common_runs(before, after)
    for match in matches:
        assert before[match.before : match.before + match.size] == after[match.after : match.after + match.size]
    for match, following in pairwise(matches):
        assert match.before + match.size <= following.before
        assert match.after + match.size <= following.after


def test_a_diff_has_the_usual_form() -> None:
    before = "\n".join(f"line {number}" for number in range(1, 13))
    after = before.replace("line 2", "second", 1).replace("line 11\n", "")
    assert unified_diff(before, after).split("\n") == [
        "@@ -1,5 +1,5 @@",
        " line 1",
        "-line 2",
        "+second",
        " line 3",
        " line 4",
        " line 5",
        "@@ -8,5 +8,4 @@",
        " line 8",
        " line 9",
        " line 10",
        "-line 11",
        " line 12",
    ]
    assert unified_diff("", "a") == "@@ -1 +1 @@\n-\n+a"
    assert unified_diff("a", "a\n") == "@@ -1 +1,2 @@\n a\n+"


def test_only_a_newline_ends_a_line() -> None:
    assert unified_diff("a\u2028b\x0cc", "a\u2028b\x0cd").split("\n") == ["@@ -1 +1 @@", "-a\u2028b\x0cc", "+a\u2028b\x0cd"]


def test_texts_that_differ_too_much_share_only_their_ends() -> None:
    before = "\n".join(["head", *("ab" * 30_000), "tail"])
    after = "\n".join(["head", *("ba" * 20_000), *("b" * 20_000), "tail"])
    assert len(list(edits(before.split("\n"), after.split("\n")))) == 1
    assert apply_diff(before, unified_diff(before, after)) == after
