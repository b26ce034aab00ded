"""Files that a command leaves: each there whole or not at all, whatever interrupts it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write; at the end of the block it takes the place of `path`, and when the block raises it is gone."""
    path = path.resolve()  # a link stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_files(texts: Mapping[Path, str]) -> None:
    """Write several files: all of them are on the disk before the first takes its place."""
    with ExitStack() as written:
        for path, text in texts.items():
            written.enter_context(atomic_write(path)).write(text.encode())
