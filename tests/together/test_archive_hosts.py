"""The real host names, private to one command.

These tests run commands in namespaces of their own. Where the system forbids those they fail, with the
sentence that a user would see.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from perc_archive import ContentFolder

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(*words: str | Path, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*prefix, sys.executable, "-m", "perc_archive", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": os.fspath(EXAMPLES)}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False, encoding="utf-8"
    )


def output(*words: str | Path) -> str:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("content")
    stand_in = ContentFolder(folder)
    stand_in.add_entry(10943, {"data/a b.mrc": b"pixels"}, {"title": "Seen by name"})
    stand_in.add_alphafold("P05067", cif=b"data_AF")
    stand_in.add_structure("4V1W", cif=b"data_4V1W", accessions=["P02794"])
    stand_in.add_uniprot("P05067", {"sequence": "MLPG"})
    return folder


ENTRY = "https://www.ebi.ac.uk/empiar/api/entry/10943/"
FILE = "https://ftp.ebi.ac.uk/empiar/world_availability/10943/data/a%20b.mrc"


@pytest.mark.full
def test_curl_finds_an_entry_at_its_real_address(content: Path) -> None:
    assert "Seen by name" in output("--content", content, "--as-hosts", "--", "curl", "-sSf", ENTRY)


def test_requests_trusts_the_authority_and_links_are_the_real_ones(content: Path) -> None:
    code = (
        "import requests; answer = requests.get('https://alphafold.ebi.ac.uk/api/prediction/P05067');"
        "link = answer.json()[1]['cifUrl']; print(link, requests.get(link).text)"
    )
    said = output("--content", content, "--as-hosts", "--", sys.executable, "-c", code)
    assert said == "https://alphafold.ebi.ac.uk/files/AF-P05067-F1-model_v6.cif data_AF\n"


def test_every_known_host_answers_over_tls_and_plainly(content: Path) -> None:
    code = (
        "import urllib.request, urllib.error\n"
        "from perc_archive.settings import HOSTS\n"
        "for scheme in ('http', 'https'):\n"
        "    for host in HOSTS:\n"
        "        try:\n"
        "            urllib.request.urlopen(f'{scheme}://{host}/nothing/here', timeout=10)\n"
        "        except urllib.error.HTTPError as error:\n"
        "            print(error.code)\n"
    )
    said = output("--content", content, "--as-hosts", "--", sys.executable, "-c", code)
    assert set(said.split()) <= {"404", "400"}
    assert len(said.split()) == 32


def test_urllib3_with_certifi_alone_trusts_it_too(content: Path) -> None:
    """A program that names certifi's file itself, as requests does without its variable."""
    code = (
        "import certifi, urllib3; pool = urllib3.PoolManager(ca_certs=certifi.where());"
        f"print(pool.request('GET', {FILE!r}).data)"
    )
    said = output(
        "--content", content, "--as-hosts", "--", "env", "-u", "SSL_CERT_FILE", "-u", "REQUESTS_CA_BUNDLE",
        sys.executable, "-c", code,
    )  # fmt: skip
    assert said == "b'pixels'\n"


def test_ftp_answers_at_its_real_name_and_port(content: Path) -> None:
    code = (
        "import ftplib; client = ftplib.FTP('ftp.ebi.ac.uk', timeout=10); client.login();"
        "print(client.nlst('/empiar/world_availability/10943/data')); client.quit()"
    )
    assert output("--content", content, "--as-hosts", "--", sys.executable, "-c", code) == "['a b.mrc']\n"


@pytest.mark.full
@pytest.mark.parametrize("program", ["wget", "aria2c"])
def test_programs_that_know_nothing_of_it_download_from_it(
    content: Path, program: str, tmp_path: Path
) -> None:
    target = tmp_path / "got"
    options: list[str | Path] = (
        ["-q", "-O", target] if program == "wget" else ["-q", "-d", tmp_path, "-o", "got"]
    )
    output("--content", content, "--as-hosts", "--", program, *options, FILE)
    assert target.read_bytes() == b"pixels"


def test_no_other_name_and_no_proxy_is_in_reach(content: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    code = (
        "import requests\n"
        f"print(requests.get({ENTRY!r}).status_code)\n"
        "try: requests.get('https://example.org/')\n"
        "except requests.ConnectionError as error: print('resolve' in str(error))\n"
    )
    assert output("--content", content, "--as-hosts", "--", sys.executable, "-c", code) == "200\nTrue\n"


def test_settings_of_the_libraries_are_left_out_so_that_defaults_count(
    content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_RCSB_FILES_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PROFET_CACHE_DIR", "/somewhere")
    said = output("--content", content, "--as-hosts", "--", "sh", "-c", "env | grep ^PROFET_")
    assert said == "PROFET_CACHE_DIR=/somewhere\n"


def test_the_exit_code_is_the_commands(content: Path) -> None:
    assert run("--as-hosts", "--", "sh", "-c", "exit 7").returncode == 7
    assert run("--as-hosts", "--", "sh", "-c", "kill -9 $$").returncode == 128 + 9
    missing = run("--as-hosts", "--", "no-such-command")
    assert (missing.returncode, missing.stderr) == (127, "perc_archive: no such command: no-such-command\n")
    assert run("--as-hosts").returncode == 2


def test_nothing_outside_changes(content: Path) -> None:
    before = Path("/etc/hosts").read_bytes(), Path("/etc/resolv.conf").read_bytes()
    inside = output("--as-hosts", "--", "cat", "/etc/hosts")
    assert "127.0.0.1 www.ebi.ac.uk" in inside
    assert (Path("/etc/hosts").read_bytes(), Path("/etc/resolv.conf").read_bytes()) == before


def test_the_user_stays_who_they_are(tmp_path: Path) -> None:
    said = output("--as-hosts", "--", "sh", "-c", f"id -u; touch {tmp_path}/made")
    assert said == f"{os.getuid()}\n"
    assert (tmp_path / "made").stat().st_uid == os.getuid()


def test_an_archive_can_be_started_within(content: Path) -> None:
    code = "from perc_archive import Archive\nwith Archive() as archive: print(archive.requests())"
    assert output("--as-hosts", "--", sys.executable, "-c", code) == "[]\n"


@pytest.mark.full
def test_where_namespaces_are_forbidden_one_sentence_says_so() -> None:
    """In a user namespace whose limit of further ones is nought."""
    forbid = 'for kind in user net mnt; do echo 0 > /proc/sys/user/max_${kind}_namespaces; done; exec "$@"'
    done = run("--as-hosts", "--", "true", prefix=["unshare", "-Ur", "sh", "-c", forbid, "sh"])
    assert done.returncode == 125
    reason = r"which this system does not allow \(unshare: No space left on device\)\. Run it as root, .*\n"
    assert re.fullmatch(f"perc_archive: --as-hosts needs a private user, .*, {reason}", done.stderr)
