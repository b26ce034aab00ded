"""Models' weights that come as files in packages: found without importing the package, and hashed before every load."""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from promptuary.core.errors import Unavailable


@dataclass(frozen=True)
class ModelFile:
    """A file of weights: the package that carries it, its path in it, the published sha256, and how to install it."""

    package: str
    file: str
    sha256: str
    install: str

    def path(self) -> Path | None:
        """Find the file; the package is not imported, for what it imports itself may not be installed."""
        spec = importlib.util.find_spec(self.package)
        folders = (spec.submodule_search_locations if spec else None) or ()
        return next((path for path in (Path(folder) / self.file for folder in folders) if path.is_file()), None)

    def verified(self) -> Path:
        """Find the file, read it through, and compare its hash with the published one.

        Raises:
            Unavailable: when it is missing, or is not the published one; it must not be loaded then.
        """
        path = self.path()
        if path is None:
            raise Unavailable(f"the weights {self.file} are not installed: {self.install}", retry_after=60)
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != self.sha256:
            raise Unavailable(
                f"{path} is not the file that was published: its sha256 is {found}, not {self.sha256}; install it again",
                retry_after=60,
            )
        return path


def use_passive_openmp_wait() -> None:
    """Make OpenMP's threads sleep while they wait; it has an effect only before torch or xllamacpp is first imported.

    By default they spin, and where other work wants the same cores, each step waits for a time slice: on two busy cores the
    same 14 short answers took from 15 to 61 seconds instead of 9 to 17.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
