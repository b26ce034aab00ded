"""The files of models that packages contain: located without importing the package, and hashed before every load."""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from promptuary.core.errors import Unavailable


@dataclass(frozen=True)
class ModelFile:
    """A model's file: the package that contains it, its path there, the published SHA-256, and how to install it."""

    package: str
    file: str
    sha256: str
    install: str

    def path(self) -> Path | None:
        """Return the file's path; None where it is not installed. The package is not imported: its imports may be missing."""
        spec = importlib.util.find_spec(self.package)
        folders = (spec.submodule_search_locations if spec else None) or ()
        return next((path for path in (Path(folder) / self.file for folder in folders) if path.is_file()), None)

    def verified_path(self) -> Path:
        """Return the path of the file, once its hash is the published one.

        Raises:
            Unavailable: when it is missing, or is not the published file; it must not be loaded then.
        """
        path = self.path()
        if path is None:
            raise Unavailable(f"the model file {self.file} is not installed: {self.install}", retry_after=60)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 != self.sha256:
            raise Unavailable(
                f"{path} is not the file that was published: its SHA-256 is {sha256}, not {self.sha256}; install it again",
                retry_after=60,
            )
        return path


def use_passive_openmp_wait() -> None:
    """Set OpenMP's threads to sleep while they wait; this has an effect only before the first import of torch or xllamacpp.

    By default they spin, and where other work needs the same cores, each step waits for a time slice: on two busy cores the
    same 14 short replies took from 15 to 61 seconds instead of 9 to 17.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
