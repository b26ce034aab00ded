"""A pulled file is compared with the version that it comes from, whatever has become the newest since."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import CommandResult, Run
from promptuary.cli.prompts_as_code.origins import Origin, origins_file, read_origins, write_with_origins

Write = Callable[[str, str], Path]


def text(template: str, *labels: str, **more: Any) -> str:
    return json.dumps({"type": "text", "template": template, "labels": list(labels), **more})


@pytest.fixture
def registry(run: Run, write: Write) -> Callable[..., CommandResult]:
    """Register versions of `q`: the first is in production, the second in staging."""

    def register(template: str, *labels: str) -> CommandResult:
        return run("push", write("origin/q.yaml", text(template, *labels)))

    register("one {{a}}", "production")
    register("two {{a}}", "staging")
    return register


@pytest.fixture
def folder(run: Run, registry: Callable[..., CommandResult], tmp_path: Path) -> Path:
    """A folder with `q` as production has it."""
    path = tmp_path / "pulled"
    run("sync", "pull", path, "--label", "production")
    return path


def edit(folder: Path, template: str) -> None:
    file = folder / "q.yaml"
    file.write_text(file.read_text().replace("one {{a}}", template))


def test_a_file_pulled_by_a_label_is_planned_without_a_change(run: Run, folder: Path) -> None:
    assert (folder / "q.yaml").read_text() == 'type: text\nformat: mustache\ntemplate: "one {{a}}"\nlabels: [production]\n'
    assert run("sync", "plan", folder).out.splitlines() == [
        "= q  version 1 exists already",
        "  unchanged since it was copied from version 1; the newest is 2",
    ]
    (step,) = run("sync", "plan", folder, "--json").json
    assert (step["version"], step["registers"], step["moves"], step["origin"]) == (1, False, [], 1)
    assert run("sync", "drift", folder).code == 0
    rows = run("audit", "verify", "--json").json["rows"]
    assert run("sync", "apply", folder, "--json").json[0]["version"] == 1
    assert run("audit", "verify", "--json").json["rows"] == rows
    assert run("get", "q", "--label", "latest", "--json").json["version"] == 2


def test_a_changed_file_is_registered_and_its_older_origin_is_named(run: Run, folder: Path) -> None:
    edit(folder, "hotfix {{a}}")
    lines = run("sync", "plan", folder).out.splitlines()
    assert lines[0] == "+ q  version 3, production → 3"
    assert lines[-1] == "  comes from version 1, and the newest is 2: this text becomes the newest"
    assert run("sync", "drift", folder).code == 1
    assert run("sync", "apply", folder, "--json").json[0]["version"] == 3
    assert run("get", "q", "--json").json["template"] == "hotfix {{a}}"
    assert run("sync", "plan", folder).out == "= q  version 3 exists already\n"


def test_what_both_sides_changed_is_a_conflict_until_it_is_decided(
    run: Run, folder: Path, registry: Callable[..., CommandResult]
) -> None:
    registry("three {{a}}")
    assert run("sync", "plan", folder).out.startswith("= q  version 1 exists already\n")
    edit(folder, "mine {{a}}")
    planned = run("sync", "plan", folder)
    assert planned.out.startswith("! q  version 4, production → 4\n")
    words = "version 3 was registered since the file was copied, when the newest was 2 (promptuary diff q 2 3)"
    assert words in planned.out
    refused = run("sync", "apply", folder)
    assert (refused.code, words in refused.error_line, "--supersede" in refused.error_line) == (64, True, True)
    assert run("get", "q", "--label", "latest", "--json").json["version"] == 3
    assert run("sync", "plan", folder, "--supersede").out.startswith("+ q  version 4")
    assert run("sync", "apply", folder, "--supersede").code == 0
    assert run("get", "q", "--json").json["template"] == "mine {{a}}"
    assert run("sync", "plan", folder).out == "= q  version 4 exists already\n"


def test_a_version_that_apply_registered_is_the_origin_of_the_file(
    run: Run, folder: Path, registry: Callable[..., CommandResult]
) -> None:
    edit(folder, "mine {{a}}")
    run("sync", "apply", folder)
    registry("theirs {{a}}")
    assert run("sync", "plan", folder).out.splitlines()[1:] == [
        "  unchanged since it was copied from version 3; the newest is 4"
    ]


def test_a_label_that_was_moved_in_the_registry_stays_where_it_is(run: Run, folder: Path) -> None:
    run("label", "set", "q", "production", "2", "--reason", "released")
    assert run("sync", "plan", folder).out.splitlines()[1:] == [
        "  unchanged since it was copied from version 1; the newest is 2",
        "  production now points at version 2, and stays",
    ]
    run("sync", "apply", folder)
    assert run("get", "q", "--json").json["version"] == 2
    assert "production is at version 2 in the registry, and at version 1 by the file" in run("sync", "drift", folder).out
    edit(folder, "mine {{a}}")
    assert "production now points at version 2: pull and edit again" in run("sync", "apply", folder).error_line
    assert run("sync", "apply", folder, "--supersede").code == 0
    assert run("get", "q", "--json").json["version"] == 3


def test_a_label_that_the_author_adds_moves_to_the_version_of_the_file(run: Run, folder: Path) -> None:
    file = folder / "q.yaml"
    file.write_text(file.read_text().replace("[production]", "[production, canary]"))
    assert run("sync", "plan", folder).out.startswith("~ q  version 1 exists already, canary → 1\n")
    run("sync", "apply", folder)
    assert run("get", "q", "--label", "canary", "--json").json["version"] == 1


def test_a_pull_leaves_out_an_erased_version(run: Run, folder: Path) -> None:
    assert run("erase", "q", "2", "--reason", "personal data", "--labelled").code == 0
    pulled = run("sync", "pull", folder, "--latest")
    assert pulled.code == 0, pulled.err
    assert pulled.out.startswith("! q  the content of version 2 was erased")


def test_a_copy_of_an_erased_version_does_not_bring_it_back(run: Run, folder: Path) -> None:
    run("label", "set", "q", "production", "2", "--reason", "released")
    assert run("erase", "q", "1", "--reason", "personal data").code == 0
    refused = run("sync", "apply", folder)
    assert (refused.code, "comes from a version whose content was erased" in refused.error_line) == (64, True)
    assert run("sync", "pull", folder, "--force").code == 0
    assert run("sync", "plan", folder).out == "= q  version 2 exists already\n"


def test_a_folder_that_was_never_pulled_does_not_bring_erased_content_back(run: Run, folder: Path) -> None:
    origins_file(folder).unlink()
    assert run("erase", "q", "1", "--reason", "personal data", "--labelled").code == 0
    refused = run("sync", "apply", folder)
    assert (refused.code, "comes from a version whose content was erased" in refused.error_line) == (64, True)
    assert "the file has the content of version 1, which was erased" in run("sync", "drift", folder).out
    assert run("sync", "apply", folder, "--supersede").code == 0


def test_files_without_origins_are_compared_with_the_newest_version(run: Run, folder: Path) -> None:
    origins_file(folder).unlink()
    assert run("sync", "plan", folder).out.startswith("+ q  version 3, production → 3\n")
    run("sync", "apply", folder)
    assert not origins_file(folder).exists()


def test_an_origin_means_nothing_to_a_registry_without_the_version(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    before = read_origins(folder)
    run("key", "create", "k", "--role", "author", "--project", "other")
    for template in ("one {{a}}", "two {{a}}"):
        run("push", write("origin/q.yaml", text(template)), "--project", "other")
    assert run("sync", "plan", folder, "--project", "other").out.startswith("+ q  version 3, production → 3\n")
    assert run("sync", "apply", folder, "--project", "other").code == 0
    assert read_origins(folder) == before
    assert run("sync", "plan", folder).out.startswith("= q  version 1 exists already\n")


def test_origins_are_one_line_a_prompt_and_only_of_files_that_exist(run: Run, folder: Path, write: Write) -> None:
    run("push", write("origin/a.yaml", text("a", "production")))
    run("sync", "pull", folder, "--label", "production")
    lines = origins_file(folder).read_text().splitlines()
    assert lines[:3] == ["{", '"format": "promptuary-origins/1",', '"origins": {']
    assert [line.partition(":")[0] for line in lines[3:-2]] == ['"a"', '"q"']
    stamp = origins_file(folder).stat().st_mtime_ns
    run("sync", "pull", folder, "--label", "production")
    assert origins_file(folder).stat().st_mtime_ns == stamp
    (folder / "q.yaml").unlink()
    run("sync", "pull", folder, "--prompt", "a", "--label", "production")
    assert read_origins(folder).keys() == {"a"}


def test_a_dry_run_and_a_refused_pull_record_nothing(run: Run, folder: Path, registry: Callable[..., CommandResult]) -> None:
    recorded = origins_file(folder).read_text()
    registry("three {{a}}", "production")
    run("sync", "pull", folder, "--dry-run")
    edit(folder, "mine {{a}}")
    assert run("sync", "pull", folder).code == 64
    assert origins_file(folder).read_text() == recorded


@pytest.mark.parametrize(
    "damage",
    ["<<<<<<< HEAD\n", '{"format": "promptuary-origins/2"}', '{"format": "promptuary-origins/1", "origins": {"q": {}}}'],
)
def test_damaged_origins_are_named_with_the_remedy(run: Run, folder: Path, damage: str) -> None:
    origins_file(folder).write_text(damage)
    error = run("sync", "plan", folder).error_line
    assert str(origins_file(folder)) in error
    assert "delete it" in error or "cut off" in error


def test_origins_that_two_processes_write_at_a_time_are_all_kept(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(20)]
    barrier = threading.Barrier(2)

    def record(chosen: list[str]) -> None:
        barrier.wait(20)
        for name in chosen:
            write_with_origins(tmp_path, {tmp_path / f"{name}.yaml": "x"}, {name: Origin(1, "sha256:0", "now", 1)})

    threads = [threading.Thread(target=record, args=(names[start::2],)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_origins(tmp_path)) == sorted(names)
