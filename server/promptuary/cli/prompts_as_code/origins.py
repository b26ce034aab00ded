"""The versions that pulled files come from, in `.promptuary/origins.json` beside the files.

A file may be a copy of an older version, such as the one under a label. Only a comparison with that version shows whether its
author has changed it since, so `sync pull` records the version of each file, and `sync apply` records what it registers from a
pulled folder.

    {"format": "promptuary-origins/1",
     "origins": {"support.triage": {"created_at": "2026-03-02T12:00:00Z", "digest": "sha256:…",
                                    "labels": ["production"], "newest": 4, "version": 2}}}

A number means something only in the registry that assigned it. Digest and time of registration identify the version, so an
origin does not apply to a server that has another version under the number, or none, and it does apply to a server to which the
prompt was moved with its history. Entries are sorted by name, one a line, so that two people's changes merge in git.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptuary.cli.atomic_files import write_files
from promptuary.cli.connection import ApiRefused
from promptuary.cli.registry.state import RegistryState
from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.bundle import parse_json
from promptuary.prompt.files.file_locks import CAN_LOCK, lock
from promptuary.prompt.files.prompt_file import prompt_paths, read_text
from promptuary.prompt.files.yaml_document import InvalidFile

FORMAT = "promptuary-origins/1"
_FOLDER, _FILE = ".promptuary", "origins.json"
_REMEDY = "delete it: files are then compared with the newest versions only, until the next `promptuary sync pull`"
_FIELD_TYPES = {"version": int, "digest": str, "created_at": str, "newest": int, "labels": list}


@dataclass(frozen=True)
class Origin:
    """The version that a file was copied from.

    Attributes:
        version: its number.
        digest: its digest.
        created_at: when it was registered, as the server writes it.
        newest: the number of the prompt's newest version at the time of the copy.
        labels: the labels that the file named then, and that pointed at the version.
    """

    version: int
    digest: str
    created_at: str
    newest: int
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, version: Mapping[str, Any], newest: int, labels: tuple[str, ...]) -> "Origin":
        """Return the origin of a file that is a copy of a version, as the API returns it."""
        pointing = tuple(sorted(set(labels) & set(version["labels"])))
        return cls(version["version"], version["digest"], version["created_at"], newest, pointing)

    def is_erased(self, registry: RegistryState, name: str) -> bool:
        """Return whether this registry erased the content of the version."""
        state = registry.prompts.get(name)
        if state is None or self.version > state.newest:
            return False
        try:
            registry.version(name, self.version)
        except ApiRefused as error:
            return error.code == "erased"
        return False

    def is_in(self, registry: RegistryState, name: str) -> bool:
        """Return whether this registry has the version, and no other one under its number."""
        state = registry.prompts.get(name)
        if state is None or self.version > state.newest:
            return False
        try:
            version = registry.version(name, self.version)
        except ApiRefused as error:
            if error.code != "erased":
                raise
            return False
        return bool(version["digest"] == self.digest and version["created_at"] == self.created_at)


def origins_file(folder: Path) -> Path:
    """Return the path of a folder's origins."""
    return folder / _FOLDER / _FILE


def read_origins(folder: Path) -> dict[str, Origin]:
    """Return the origins of a folder's files by the name of their prompt; none for a folder that was never pulled into.

    Raises:
        InvalidFile: the file was damaged, for example by a merge.
    """
    path = origins_file(folder)
    if not path.exists():
        return {}
    value = parse_json(read_text(path), str(path))
    origins = value.get("origins") if isinstance(value, dict) and value.get("format") == FORMAT else None
    if not isinstance(origins, dict):
        raise InvalidFile(f"{path} cannot be used", [FieldError("format", f"must be '{FORMAT}'; {_REMEDY}")])
    invalid = [name for name, entry in origins.items() if not _is_origin(entry)]
    if invalid:
        raise InvalidFile(
            f"{path} cannot be used", [FieldError(f"origins.{name}", f"is not an origin; {_REMEDY}") for name in invalid]
        )
    return {
        name: Origin(entry["version"], entry["digest"], entry["created_at"], entry["newest"], tuple(entry["labels"]))
        for name, entry in origins.items()
    }


def _is_origin(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == _FIELD_TYPES.keys()
        and all(type(entry[key]) is expected for key, expected in _FIELD_TYPES.items())
        and all(isinstance(label, str) for label in entry["labels"])
    )


def write_with_origins(folder: Path, texts: Mapping[Path, str], origins: Mapping[str, Origin]) -> None:
    """Write prompt files together with the origins of some prompts; the origins of prompts without a file are removed.

    Everything is on the disk before the first file is replaced. A folder is written by one process at a time.

    Args:
        folder: the folder of the prompt files.
        texts: the texts of the files to write, by path.
        origins: the origins that are new or have changed, by prompt.
    """
    path = origins_file(folder)
    with _lock(path.parent):
        names = {*prompt_paths(folder), *origins}
        merged = {name: origin for name, origin in (read_origins(folder) | dict(origins)).items() if name in names}
        text = _text(merged)
        changed = not path.exists() or read_text(path) != text
        write_files({**texts, **({path: text} if changed else {})})


def _text(origins: Mapping[str, Origin]) -> str:
    entries = [
        f"{json.dumps(name)}: {json.dumps(vars(origin), sort_keys=True, ensure_ascii=False)}"
        for name, origin in sorted(origins.items())
    ]
    return "\n".join(["{", f'"format": "{FORMAT}",', '"origins": {', ",\n".join(entries), "}", "}", ""])


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    if not CAN_LOCK:  # two pulls into one folder at the same time are not serialized
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        lock(handle, wait=True)
        yield
    finally:
        os.close(handle)
