"""Atomic writes: each file is written completely or not at all, whatever interrupts the command."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write. At the end of the block it replaces `path`; when the block raises, it is deleted."""
    path = path.resolve()  # a link stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_files(texts: Mapping[Path, str]) -> None:
    """Write several files: all are on the disk before the first replaces its target."""
    with ExitStack() as written:
        for path, text in texts.items():
            written.enter_context(atomic_write(path)).write(text.encode())
