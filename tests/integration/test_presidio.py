"""Presidio beside the service's packages finds numbers that the patterns do not look for, and connects to nobody."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from paths import ROOT
from promptuary.traffic.redaction.hook import WITHHELD
from promptuary.traffic.redaction.presidio import REQUIREMENT

pytestmark = pytest.mark.process
FOLDER = Path(__file__).parent / "presidio"
FINDS = {
    "My SSN is 536-90-4399.": "536-90-4399",
    "my passport number is 912803456": "912803456",
    "My driver license is H1234567": "H1234567",
    "server 192.168.10.14 or fe80::1ff:fe23:4567:890a": "192.168",
    "mac 00:1A:2B:3C:4D:5E": "1A:2B",
    "NHS number 9434765919": "9434765919",
    "NINO AB123456C": "123456",
    "Mi DNI es 12345678Z": "12345678",
    "codice fiscale RSSMRA85T10A562S": "RSSMRA",
    "PESEL 44051401359": "44051401359",
    "Steuer-ID 36574261809": "36574261809",
    "personnummer 19811218-9876": "19811218",
    "hetu 131052-308T": "131052",
    "x" * 1990 + " SSN 536%2D90%2D4399": "4399",
}
STAYS = [
    "Ada Lovelace lives at 12 Example Street and was born on 1980-12-24.",
    "Version 1.45.2 of 2026-11-30 10:15:00, order 12345678, id 2f1b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
    "[redacted: e-mail] said the password is wrong.",
]
LONG = "word and 12345678 more 1.2.3.4 text. " * 30_000


@pytest.fixture(scope="module")
def redacted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each text, as an environment with Presidio and the packages of this one redacts it."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=300)
    packages = subprocess.run(
        [folder / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()
    (Path(packages) / "service.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT / 'server'}\n")
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "-r", FOLDER / "requirements.txt"], check=True, timeout=600)
    texts = [*FINDS, *STAYS, LONG]
    script = [folder / "bin" / "python", FOLDER / "redact.py"]
    done = subprocess.run(script, input=json.dumps(texts), check=True, capture_output=True, text=True, timeout=300)
    return {text: answer for text, (answer, _) in zip(texts, json.loads(done.stdout.splitlines()[-1]), strict=True)}


@pytest.mark.parametrize(("text", "number"), FINDS.items())
def test_numbers_that_name_a_person_are_removed(redacted: dict[str, str], text: str, number: str) -> None:
    assert number not in redacted[text]
    assert "[redacted: entity]" in redacted[text]


@pytest.mark.parametrize("text", STAYS)
def test_names_addresses_and_other_numbers_stay(redacted: dict[str, str], text: str) -> None:
    assert redacted[text] == text


def test_a_text_that_takes_too_long_is_withheld(redacted: dict[str, str]) -> None:
    assert redacted[LONG] == WITHHELD


def test_the_documented_package_is_the_one_that_is_tested() -> None:
    assert REQUIREMENT in (FOLDER / "requirements.txt").read_text().splitlines()
    assert f"pip install {REQUIREMENT}" in (ROOT / "docs" / "privacy.md").read_text()
