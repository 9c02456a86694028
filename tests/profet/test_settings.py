"""Settings are read when they are used, and a wrong one is told in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from profet import InvalidChoiceError, settings


def test_the_defaults_are_the_real_archives_and_the_promised_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    assert settings.service_url("RCSB_FILES") == "https://files.rcsb.org"
    assert settings.service_url("ALPHAFOLD") == "https://alphafold.ebi.ac.uk"
    assert settings.service_url("UNIPROT") == "https://rest.uniprot.org"
    assert settings.cache_directory() == Path("/home/somebody/.cache/pdb")
    assert (settings.timeout_seconds(), settings.retries(), settings.is_offline()) == (30.0, 5, False)


def test_settings_follow_the_environment_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROFET_UNIPROT_URL", "http://127.0.0.1:8000/rest.uniprot.org/")
    monkeypatch.setenv("PROFET_CACHE_DIR", str(tmp_path / "here"))
    monkeypatch.setenv("PROFET_TIMEOUT", "2.5")
    monkeypatch.setenv("PROFET_RETRIES", "0")

    assert settings.service_url("UNIPROT") == "http://127.0.0.1:8000/rest.uniprot.org"
    assert settings.cache_directory() == tmp_path / "here"
    assert (settings.timeout_seconds(), settings.retries()) == (2.5, 0)


@pytest.mark.parametrize(
    ("text", "offline"), [("1", True), ("yes", True), ("0", False), ("", False), ("No", False)]
)
def test_offline_is_what_people_write(text: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFET_OFFLINE", text)

    assert settings.is_offline() is offline


@pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf"])
def test_a_time_out_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFET_TIMEOUT", text)

    with pytest.raises(InvalidChoiceError, match="PROFET_TIMEOUT"):
        settings.timeout_seconds()


@pytest.mark.parametrize("url", ["files.rcsb.org", "ftp://files.rcsb.org", "file:///etc"])
def test_a_base_address_that_is_none_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFET_RCSB_FILES_URL", url)

    with pytest.raises(InvalidChoiceError, match="PROFET_RCSB_FILES_URL"):
        settings.service_url("RCSB_FILES")
