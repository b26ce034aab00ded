"""`promptuary export`, and `import` of what it wrote: prompts as one file, for backups, other servers and offline starts."""

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
from promptuary.cli.output import AsJson, Project, print_json, print_line
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.state import PromptState, RegistryState
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.bundle import FORMAT, BundledPrompt, import_requests

REQUEST_BYTES = 600_000
"""Of one request, so that it stays well under the least body limit that a server has by default, 1 MiB."""
_PAGE = 20
_ARCHIVALS = ["prompt.archived", "prompt.restored"]


@dataclass
class ExportSummary:
    """How much went into a bundle, and what its versions include that did not."""

    prompts: int = 0
    versions: int = 0
    left_out: set[str] = field(default_factory=set)


def export(
    file: Annotated[Path | None, typer.Argument(help="The file to write; standard output without one.")] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="Only what is under this label; may be given again.")
    ] = None,
    prompts: Annotated[list[str] | None, typer.Option("--prompt", help="Only this prompt; may be given again.")] = None,
    all_versions: Annotated[
        bool, typer.Option("--all-versions", help="Every version, the labels' history, and archived prompts: a backup.")
    ] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Write prompts into a bundle: what labels lead to and the newest, for clients that start offline; or all there is."""
    if labels and all_versions:
        raise typer.BadParameter("give --label or --all-versions, not both")
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
        print_line(f"not in it, and included by what is: {', '.join(sorted(exported.left_out))}; add them with --prompt")


def _export(api: ApiClient, file: IO[str], prompts: Sequence[str], labels: Sequence[str], *, whole: bool) -> ExportSummary:
    """Write the bundle prompt by prompt, version by version; no more than a page of versions is held at a time."""
    holdings = RegistryState(api)
    unknown = [name for name in prompts if name not in holdings.prompts]
    if unknown:
        raise Invalid("the prompts cannot be exported", [FieldError(name, "is not in the registry") for name in unknown])
    names = sorted(
        name
        for name, held in holdings.prompts.items()
        if (name in prompts or (not prompts and (whole or not held.archived)))
        and (not labels or any(label in held.labels for label in labels))
    )
    exported, included = ExportSummary(), set()
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    file.write(f'{{\n"format": "{FORMAT}",\n"exported_at": "{now}",\n"prompts": {{')
    for place, name in enumerate(names):
        held = holdings.prompts[name]
        history = list(_history(api, name, held)) if whole else []
        archivals = _archivals(api, name, held) if whole or held.archived else []
        shown = {label: _label_target(held, label) for label in held.labels if not labels or label in labels}
        file.write(
            f"{',' if place else ''}\n{_json(name)}: {{\n"
            + _json_member("archived", held.archived)
            + _json_member("labels", shown)
        )
        file.write('"versions": {')
        for number, version in enumerate(_versions(api, name, held, labels, whole=whole)):
            file.write(f"{',' if number else ''}\n{_json(str(version['version']))}: {_json(version)}")
            exported.versions += 1
            included |= {include["name"] for include in version["includes"]}
        file.write("\n},\n" + '"history": [' + ",".join(f"\n{_json(move)}" for move in history) + "\n],\n")
        file.write('"archivals": [' + ",".join(f"\n{_json(turn)}" for turn in archivals) + "\n]\n}")
    file.write("\n}\n}\n")
    file.flush()
    exported.prompts, exported.left_out = len(names), included - set(names)
    return exported


def _versions(api: ApiClient, name: str, held: PromptState, labels: Sequence[str], *, whole: bool) -> Iterator[Any]:
    """Give the versions that belong in the bundle, the newest first, and none that came after the prompts were listed."""
    if whole:
        yield from (one for one in api.items(f"/prompts/{name}/versions", page=_PAGE) if one["version"] <= held.newest)
        return
    wanted = set() if labels else {held.newest}
    for label, first in held.labels.items():
        if not labels or label in labels:
            wanted |= {arm["version"] for arm in held.splits[label]["arms"]} if label in held.splits else {first}
    for number in sorted(wanted, reverse=True):
        yield api.get(f"/prompts/{name}/versions/{number}")


def _history(api: ApiClient, name: str, held: PromptState) -> Iterator[dict[str, Any]]:
    """Give the moves of a prompt's labels, the oldest first, as far as they lead to where the labels were found."""
    moves = [move for label in held.labels for move in api.items(f"/prompts/{name}/labels/{label}/history")]
    for move in sorted(moves, key=lambda move: move["revision"]):
        if move["revision"] <= held.revision:
            yield {key: move[key] for key in ("label", "version", "split", "previous", "actor", "reason", "at")}


def _archivals(api: ApiClient, name: str, held: PromptState) -> list[dict[str, Any]]:
    """Give when a prompt was archived and restored, the oldest first, as far as it had been when it was found."""
    events = list(api.items(f"/prompts/{name}/events", kind=_ARCHIVALS))
    return [
        {"archived": event["kind"] == _ARCHIVALS[0], "reason": event["detail"].get("reason", ""), "at": event["at"]}
        for event in reversed(events)
        if event["revision"] <= held.revision
    ]


def _label_target(held: PromptState, label: str) -> Any:
    return {"split": held.splits[label]} if label in held.splits else held.labels[label]


def _json_member(key: str, value: Any) -> str:
    return f"{_json(key)}: {_json(value)},\n"


def _json(value: Any) -> str:
    return json_text.dumps(value, ensure_ascii=False, sort_keys=True)


def _same(written: IO[str], file: Path) -> bool:
    """Tell whether a file says the same already, whenever it was exported."""
    written.seek(0)
    try:
        with file.open(encoding="utf-8", newline="\n") as there:
            return all(
                one == other or (number == 2 and other.startswith('"exported_at"'))
                for number, (one, other) in enumerate(zip(written, there, strict=True))
            )
    except (OSError, ValueError):  # not there, not text, or not as long
        return False


# --- import -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedImport:
    """What importing a prompt would do, or what is in its way."""

    prompt: BundledPrompt
    shown: Any
    conflict: str | None = None

    def describe(self) -> str:
        """Give it as a line."""
        name = self.prompt.name
        if self.conflict is not None:
            return f"! {name}  {self.conflict}"
        new, moves = self.shown["versions"], self.shown["moves"]
        if not new and not moves and not self.shown["archivals"]:
            return f"= {name}  all of it is there already"
        last = {move["label"]: describe_target(move) for move in self.prompt.history}
        labels = ", ".join(f"{label} → {last[label]}" for label in dict.fromkeys(move["label"] for move in moves))
        told = [
            _numbers(new),
            f"{len(moves)} label move{'s' if len(moves) > 1 else ''} ({labels})" if moves else "",
            ("archived" if self.prompt.archivals[-1]["archived"] else "restored") if self.shown["archivals"] else "",
        ]
        return f"+ {name}  {', '.join(filter(None, told))}"


def _numbers(new: Sequence[int]) -> str:
    if not new:
        return ""
    return f"version {new[0]}" if len(new) == 1 else f"versions {new[0]}–{new[-1]}"


def plan_import(api: ApiClient, prompts: Sequence[BundledPrompt]) -> list[PlannedImport]:
    """Ask for each prompt what importing it would do; nothing is written."""
    return [_planned(api, prompt) for prompt in prompts]


def _planned(api: ApiClient, prompt: BundledPrompt) -> PlannedImport:
    body = {"digests": prompt.digests(), "history": list(prompt.history), "archivals": list(prompt.archivals)}
    if len(_json(body).encode()) > REQUEST_BYTES:
        body["history"] = []  # too long to be told before; it is compared when it comes, after the versions
    try:
        return PlannedImport(prompt, api.post(f"/prompts/{prompt.name}/import/preview", body))
    except ApiRefused as error:
        if error.code not in ("conflict", "invalid_request", "invalid_split"):
            raise
        return PlannedImport(prompt, None, str(error))


def apply_import(api: ApiClient, planned: Sequence[PlannedImport]) -> list[str]:
    """Import what was planned; gives a sentence for each pin that leads nowhere here.

    Raises:
        Invalid: before anything is written, with everything that is in the way.
    """
    conflicts = [FieldError(one.prompt.name, one.conflict) for one in planned if one.conflict is not None]
    if conflicts:
        raise Invalid("nothing was imported", conflicts)
    told = []
    for name, body in import_requests([one.prompt for one in planned], REQUEST_BYTES):
        for pin in api.post(f"/prompts/{name}/import", body)["unpinned"]:
            told.append(f"{name}  version {pin['version']} has the text of {pin['name']}@{pin['pinned']}, which is not here")
    return told
