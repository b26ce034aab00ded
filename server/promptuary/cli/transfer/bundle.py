"""`promptuary export` and the import of its bundles: prompts in one file, for backups, other servers and offline starts."""

import json as json_text
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from promptuary.cli.atomic_files import atomic_write
from promptuary.cli.connection import ApiClient, ApiRefused, connect
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_notice
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.state import PromptState, RegistryState
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.bundle import FORMAT, BundledPrompt, import_requests, imported_move
from promptuary.prompt.name import LATEST

REQUEST_BYTES = 600_000
"""The size of one request, well under the default body limit of a server, 1 MiB."""
_PAGE = 20
_ARCHIVALS = ["prompt.archived", "prompt.restored"]


@dataclass
class ExportSummary:
    """The size of a bundle, and what its versions include that is not in it."""

    prompts: int = 0
    versions: int = 0
    left_out: set[str] = field(default_factory=set)


def export(
    file: Annotated[Path | None, typer.Argument(help="The file to write; by default standard output.")] = None,
    labels: Annotated[list[str] | None, typer.Option("--label", help="Only what is under this label; may be repeated.")] = None,
    prompts: Annotated[list[str] | None, typer.Option("--prompt", help="Only this prompt; may be repeated.")] = None,
    all_versions: Annotated[
        bool, typer.Option("--all-versions", help="Export every version, the label history and archived prompts: a backup.")
    ] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Export prompts into a bundle: the versions under labels and the newest, for clients that start offline; or everything."""
    if labels and all_versions:
        raise typer.BadParameter("pass --label or --all-versions, not both")
    with connect(project) as api, tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as written:
        exported = _export(api, written, prompts or (), labels or (), whole=all_versions)
        if file is None:
            written.seek(0)
            shutil.copyfileobj(written, sys.stdout)
            return
        changed = not _same(written, file)
        if changed:
            written.seek(0)
            with atomic_write(file) as target:
                target.writelines(text.encode() for text in written)
    if json:
        print_json({"file": str(file), "prompts": exported.prompts, "versions": exported.versions, "changed": changed})
        return
    print_line(f"{exported.prompts} prompts, {exported.versions} versions → {file}{'' if changed else ', unchanged'}")
    if all_versions and exported.left_out:
        print_line(
            f"included by exported versions, but not exported: {', '.join(sorted(exported.left_out))}; add them with --prompt"
        )


def _export(api: ApiClient, file: IO[str], prompts: Sequence[str], labels: Sequence[str], *, whole: bool) -> ExportSummary:
    """Write the bundle prompt by prompt, version by version; at most one page of versions is in memory at a time."""
    registry = RegistryState(api)
    unknown = [name for name in prompts if name not in registry.prompts]
    if unknown:
        raise Invalid("the prompts cannot be exported", [FieldError(name, "is not in the registry") for name in unknown])
    registry.require_labels(labels, archived=prompts)
    names = sorted(
        name
        for name, state in registry.prompts.items()
        if (name in prompts or (not prompts and (whole or not state.archived)))
        and (not labels or any(label in (*state.labels, LATEST) for label in labels))
    )
    for name in sorted({*prompts} - {*names}):
        print_notice(f"promptuary: left out: {name} has no label {' or '.join(labels)}")
    exported, included = ExportSummary(prompts=len(names)), set()
    file.write(f'{{\n"format": "{FORMAT}",\n')
    if not whole:  # a whole bundle is the same bytes whenever and from whichever server it is exported
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        file.write(f'"exported_at": "{now}",\n')
    file.write('"prompts": {')
    for place, name in enumerate(names):
        file.write("," if place else "")
        state = registry.prompts[name]
        history = list(_history(api, name, state)) if whole else []
        archivals = _archivals(api, name, state) if whole or state.archived else []
        _write_head(file, name, state, labels)
        for number, version in enumerate(_versions(api, name, state, labels, whole=whole)):
            file.write(f"{',' if number else ''}\n{_json(str(version['version']))}: {_json(_portable(version))}")
            exported.versions += 1
            included |= {include["name"] for include in version["includes"]}
        _write_tail(file, history, archivals)
    file.write("\n}\n}\n")
    file.flush()
    exported.left_out = included - set(names)
    return exported


def _write_head(file: IO[str], name: str, state: PromptState, labels: Sequence[str]) -> None:
    """Write a prompt's members up to its first version."""
    targets = {label: _label_target(state, label) for label in state.labels if not labels or label in labels}
    file.write(f"\n{_json(name)}: {{\n{_json_member('archived', state.archived)}{_json_member('labels', targets)}")
    file.write('"versions": {')


def _write_tail(file: IO[str], history: Sequence[Any], archivals: Sequence[Any]) -> None:
    """Write a prompt's members after its last version."""
    file.write("\n},\n" + '"history": [' + ",".join(f"\n{_json(move)}" for move in history) + "\n],\n")
    file.write('"archivals": [' + ",".join(f"\n{_json(event)}" for event in archivals) + "\n]\n}")


def _versions(api: ApiClient, name: str, state: PromptState, labels: Sequence[str], *, whole: bool) -> Iterator[Any]:
    """Yield the versions of the bundle, the newest first, without those that came after the prompts were listed."""
    if whole:
        yield from (
            version for version in api.items(f"/prompts/{name}/versions", page=_PAGE) if version["version"] <= state.newest
        )
        return
    numbers = set() if labels and LATEST not in labels else {state.newest}
    for label, first in state.labels.items():
        if not labels or label in labels:
            numbers |= {arm["version"] for arm in state.splits[label]["arms"]} if label in state.splits else {first}
    for number in sorted(numbers, reverse=True):
        try:
            yield api.get(f"/prompts/{name}/versions/{number}")
        except ApiRefused as error:
            if error.code != "erased":
                raise
            print_notice(f"promptuary: left out: {error}")


def _portable(version: dict[str, Any]) -> dict[str, Any]:
    """Return a version without the author's id, which another installation does not know; the name stays."""
    return {key: value for key, value in version.items() if key != "author_id"}


def _history(api: ApiClient, name: str, state: PromptState) -> Iterator[dict[str, Any]]:
    """Yield the moves of a prompt's labels, the oldest first, up to the revision at which the labels were read."""
    removals = api.items(f"/prompts/{name}/events", kind=["label.removed"])
    labels = sorted({*state.labels, *(event["detail"]["label"] for event in removals)})
    moves = [move for label in labels for move in api.items(f"/prompts/{name}/labels/{label}/history")]
    for move in sorted(moves, key=lambda move: move["revision"]):
        if move["revision"] <= state.revision:
            yield imported_move(move)


def _archivals(api: ApiClient, name: str, state: PromptState) -> list[dict[str, Any]]:
    """Return when a prompt was archived and restored, the oldest first, up to the revision at which it was read."""
    events = list(api.items(f"/prompts/{name}/events", kind=_ARCHIVALS))
    return [
        {"archived": event["kind"] == _ARCHIVALS[0], "reason": event["detail"].get("reason", ""), "at": event["at"]}
        for event in reversed(events)
        if event["revision"] <= state.revision
    ]


def _label_target(state: PromptState, label: str) -> Any:
    return {"split": state.splits[label]} if label in state.splits else state.labels[label]


def _json_member(key: str, value: Any) -> str:
    return f"{_json(key)}: {_json(value)},\n"


def _json(value: Any) -> str:
    return json_text.dumps(value, ensure_ascii=False)  # in its order, which is part of the digest


def _same(written: IO[str], file: Path) -> bool:
    """Return whether a file has the same content already, apart from the time of its export."""
    written.seek(0)
    try:
        with file.open(encoding="utf-8", newline="\n") as existing:
            return all(
                line == existing_line or (number == 2 and existing_line.startswith('"exported_at"'))
                for number, (line, existing_line) in enumerate(zip(written, existing, strict=True))
            )
    except (OSError, ValueError):  # missing, not text, or of another length
        return False


# --- import -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedImport:
    """The effect of importing a prompt, or the conflict that prevents it."""

    prompt: BundledPrompt
    preview: Any
    conflict: str | None = None

    def describe(self) -> str:
        """Return it as a line."""
        name = self.prompt.name
        if self.conflict is not None:
            return f"! {name}  {self.conflict}"
        new, moves = self.preview["versions"], self.preview["moves"]
        if not new and not moves and not self.preview["archivals"]:
            return f"= {name}  nothing to import"
        last = {move["label"]: describe_target(move) for move in self.prompt.history}
        labels = ", ".join(f"{label} → {last[label]}" for label in dict.fromkeys(move["label"] for move in moves))
        details = [
            _numbers(new),
            f"{len(moves)} label move{'s' if len(moves) > 1 else ''} ({labels})" if moves else "",
            ("archived" if self.prompt.archivals[-1]["archived"] else "restored") if self.preview["archivals"] else "",
        ]
        return f"+ {name}  {', '.join(filter(None, details))}"


def _numbers(new: Sequence[int]) -> str:
    if not new:
        return ""
    return f"version {new[0]}" if len(new) == 1 else f"versions {new[0]}–{new[-1]}"


def plan_import(api: ApiClient, prompts: Sequence[BundledPrompt]) -> list[PlannedImport]:
    """Return the effect of importing each prompt; nothing is written."""
    return [_planned(api, prompt) for prompt in prompts]


def _planned(api: ApiClient, prompt: BundledPrompt) -> PlannedImport:
    body = {
        "digests": prompt.digests(),
        "history": [imported_move(move) for move in prompt.history],
        "archivals": list(prompt.archivals),
    }
    if len(_json(body).encode()) > REQUEST_BYTES:
        body["history"] = []  # too long to preview; it is compared when it is imported, after the versions
    try:
        return PlannedImport(prompt, api.post(f"/prompts/{prompt.name}/import/preview", body))
    except ApiRefused as error:
        if error.code not in ("conflict", "invalid_request", "invalid_split"):
            raise
        return PlannedImport(prompt, None, str(error))


def apply_import(api: ApiClient, planned: Sequence[PlannedImport]) -> list[str]:
    """Import what was planned; return a sentence for each pin whose version does not exist here.

    Raises:
        Invalid: before anything is written, with every conflict.
    """
    conflicts = [FieldError(plan.prompt.name, plan.conflict) for plan in planned if plan.conflict is not None]
    if conflicts:
        raise Invalid("nothing was imported", conflicts)
    notes = []
    for name, body in import_requests([plan.prompt for plan in planned], REQUEST_BYTES):
        for pin in api.post(f"/prompts/{name}/import", body)["unpinned"]:
            notes.append(
                f"{name}  version {pin['version']} has the text of {pin['name']}@{pin['pinned']}, which does not exist here"
            )
    return notes
