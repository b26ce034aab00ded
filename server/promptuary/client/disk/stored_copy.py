"""What a file on disk contains: the version of a label or number, every known arm of a split label, or that it is missing.

One file has all of it, so that a reader never finds one half without the other:

    {"format": 2, "copy": {"etag": …, "body": "…"}}
    {"format": 2, "split": {"salt": …, "arms": […]}, "copies": {"3": {"etag": …, "body": "…"}}}
    {"format": 2, "missing": true}

A body is the text that the server sent, unchanged: its digest covers how numbers are written. Releases up to 0.3.0 stored a
body as JSON, and each arm in a file of its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from promptuary.client.disk.copy_file import SIZE_LIMIT
from promptuary.client.versions.version import UnusableResponse, read_json, read_split
from promptuary.prompt.split import Split

FORMAT = 2
_ENVELOPE_BYTES = 64 * 1024
"""Room in a file for all but the bodies."""


@dataclass(frozen=True)
class StoredBody:
    """A response body as the server sent it, and its ETag."""

    etag: str | None
    body: str

    @property
    def size(self) -> int:
        """The bytes that it takes in a file at most."""
        return 2 * len(self.body.encode())

    def parse(self) -> dict[str, Any]:
        """Parse the body.

        Raises:
            UnusableResponse: when it is no JSON object.
        """
        return read_json(self.body.encode())


@dataclass(frozen=True)
class StoredCopy:
    """The content of a file.

    Attributes:
        split: the split of the label; None where it is not split.
        bodies: the bodies by version number; the one of a label that is not split, or of a number, has the key None.
        is_missing: whether the server reported that it no longer has the label or version.
    """

    split: Split | None = None
    bodies: Mapping[int | None, StoredBody] = field(default_factory=dict)
    is_missing: bool = False

    @property
    def revision(self) -> int | None:
        """The highest revision of the prompt that a body names; None where none does."""
        revisions = []
        for body in self.bodies.values():
            try:
                revision = body.parse().get("revision")
            except UnusableResponse:
                continue
            if type(revision) is int:
                revisions.append(revision)
        return max(revisions, default=None)

    def with_arms_of(self, former: "StoredCopy | None") -> "StoredCopy":
        """Return the copy with the arms of an earlier one that are still in the split, as far as they fit into a file."""
        if self.split is None or former is None:
            return self
        numbers = {arm.version for arm in self.split.arms}
        bodies = dict(self.bodies)
        room = SIZE_LIMIT - _ENVELOPE_BYTES - sum(body.size for body in bodies.values())
        for number, body in former.bodies.items():
            if number in numbers and number not in bodies and body.size <= room:
                bodies[number] = body
                room -= body.size
        return replace(self, bodies=bodies)

    def without_arm(self, number: int) -> "StoredCopy":
        """Return the copy of a split label without an arm; `MISSING` where no arm remains."""
        bodies = {arm: body for arm, body in self.bodies.items() if arm != number}
        return replace(self, bodies=bodies) if bodies else MISSING

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        content: dict[str, Any] = {"format": FORMAT}
        if self.is_missing:
            content["missing"] = True
        elif self.split is None:
            content["copy"] = vars(self.bodies[None])
        else:
            content["split"] = self.split.as_json()
            content["copies"] = {str(number): vars(body) for number, body in self.bodies.items()}
        return json.dumps(content, ensure_ascii=False).encode()


MISSING = StoredCopy(is_missing=True)


def read_stored_copy(data: bytes) -> StoredCopy:
    """Parse the content of a file. A split label of a release up to 0.3.0 comes without its bodies.

    Raises:
        UnusableResponse: when it is no copy.
    """
    content = read_json(data)
    if content.get("missing") is True:
        return MISSING
    if "split" in content:
        split = read_split(content["split"])
        if split is None:
            raise UnusableResponse("its split is empty")
        copies = content.get("copies", {})
        if not isinstance(copies, dict):
            raise UnusableResponse("it contains no copies")
        bodies: dict[int | None, StoredBody] = {
            arm.version: _stored_body(copies[str(arm.version)]) for arm in split.arms if str(arm.version) in copies
        }
        return StoredCopy(split, bodies)
    return StoredCopy(bodies={None: _stored_body(content.get("copy", content))})


def _stored_body(value: Any) -> StoredBody:
    body, etag = (value.get("body"), value.get("etag")) if isinstance(value, dict) else (None, None)
    if isinstance(body, dict):  # as stored by releases up to 0.3.0
        body = json.dumps(body, ensure_ascii=False)
    if not isinstance(body, str):
        raise UnusableResponse("it contains no version")
    return StoredBody(etag if isinstance(etag, str) else None, body)
