"""The server process: how it starts, where it listens, and that nothing of it stays."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from perc_archive import Archive, ArchiveError, FtpUnavailableError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def has_ended(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process ends within some time, or had ended before."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([process], [], [], seconds)
    os.close(process)
    return bool(ended)


def test_importing_it_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules); import perc_archive;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - sys.stdlib_module_names - {'perc_archive'}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code, str(EXAMPLES)], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


def test_it_serves_within_three_seconds_of_being_asked_to() -> None:
    begun = time.monotonic()
    with Archive() as archive:
        archive.add_file("ftp.ebi.ac.uk", "a.txt", b"a")
        with urllib.request.urlopen(archive.url("ftp.ebi.ac.uk", "a.txt"), timeout=10) as answer:
            assert answer.read() == b"a"
    assert time.monotonic() - begun < 3.0  # 0.2 s on an idle machine


def test_it_listens_on_the_loopback_interface_only() -> None:
    with Archive() as archive:
        port = f":{int(archive.base_url.rpartition(':')[2]):04X}"
        table = Path("/proc/net/tcp").read_text().splitlines()[1:]
        local = [
            line.split()[1] for line in table if line.split()[3] == "0A" and line.split()[1].endswith(port)
        ]
        assert local == [f"0100007F{port}"]


def test_closing_ends_the_process_and_removes_its_folder() -> None:
    archive = Archive()
    archive.add_file("ftp.ebi.ac.uk", "a.txt", b"a")
    folder, pid = archive.folder, archive.pid
    assert folder.is_dir()
    archive.close()
    archive.close()  # twice does no harm
    assert has_ended(pid, 0)
    assert not folder.exists()
    with pytest.raises(ArchiveError, match="does not answer"):
        archive.requests()


def test_an_archive_that_nobody_holds_any_more_is_closed() -> None:
    archive = Archive(ftp=False)
    pid = archive.pid
    del archive
    assert has_ended(pid)


@pytest.mark.parametrize("fork", [False, True])
def test_a_killed_parent_leaves_no_server_and_no_folder(fork: bool) -> None:
    """Also where a forked child of the parent lives on and holds the life line open."""
    code = (
        "import os, sys, time; from perc_archive import Archive; archive = Archive(ftp=False);"
        f"child = os.fork() if {fork} else -1;"
        "child == 0 and (time.sleep(60), os._exit(0));"
        "print(archive.pid, archive.folder, child, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid, folder, child = parent.stdout.readline().split()
        parent.kill()
    gone = has_ended(int(pid))
    if int(child) > 0:
        os.kill(int(child), signal.SIGKILL)
    assert gone
    assert not Path(os.fsdecode(folder)).exists()


def test_two_archives_do_not_mix(archive: Archive) -> None:
    with Archive(ftp=False) as other:
        other.add_file("ftp.ebi.ac.uk", "a.txt", b"other")
        archive.add_file("ftp.ebi.ac.uk", "a.txt", b"first")
        assert other.base_url != archive.base_url
        with urllib.request.urlopen(other.url("ftp.ebi.ac.uk", "a.txt"), timeout=10) as answer:
            assert answer.read() == b"other"
        assert len(other.requests()) == 1
        assert archive.requests() == []


def test_without_ftp_its_address_is_a_clear_error() -> None:
    with Archive(ftp=False) as archive:
        assert "EMPIARREADER_FTP_URL" not in archive.settings()
        with pytest.raises(FtpUnavailableError, match="serves no FTP"):
            _ = archive.ftp_url


def test_a_taken_port_is_an_error_that_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ArchiveError, match="did not start"):
        Archive(port=taken.getsockname()[1], ftp=False)
    assert "cannot serve: [Errno 98] Address already in use" in capfd.readouterr().err


def test_folders_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="no folder to serve"):
        Archive(content=tmp_path / "missing")
    with pytest.raises(NotADirectoryError, match="no folder of real files"):
        Archive(real_data=tmp_path)


def test_settings_name_every_service_of_the_libraries(archive: Archive) -> None:
    base, ftp = archive.base_url, archive.ftp_url
    assert archive.settings() == {
        "PROFET_RCSB_URL": f"{base}/www.rcsb.org",
        "PROFET_PDBREDO_URL": f"{base}/pdb-redo.eu",
        "PROFET_TED_URL": f"{base}/ted.cathdb.info/api/v1",
        "PROFET_RCSB_SEARCH_URL": f"{base}/search.rcsb.org",
        "PROFET_RCSB_FILES_URL": f"{base}/files.rcsb.org",
        "PROFET_RCSB_DATA_URL": f"{base}/data.rcsb.org",
        "PROFET_RCSB_MODELS_URL": f"{base}/models.rcsb.org",
        "PROFET_ALPHAFOLD_URL": f"{base}/alphafold.ebi.ac.uk",
        "PROFET_UNIPROT_URL": f"{base}/rest.uniprot.org",
        "PROFET_PDBE_URL": f"{base}/www.ebi.ac.uk/pdbe",
        "PROFET_WWPDB_URL": f"{base}/files.wwpdb.org",
        "EMPIARREADER_API_URL": f"{base}/www.ebi.ac.uk/empiar/api",
        "EMPIARREADER_ARCHIVE_URL": f"{base}/ftp.ebi.ac.uk/empiar/world_availability",
        "EMPIARREADER_FTP_URL": f"{ftp}/empiar/world_availability",
        "EMPIARREADER_SEARCH_URL": f"{base}/www.ebi.ac.uk/ebisearch/ws/rest",
        "EMPIARREADER_EMDB_URL": f"{base}/ftp.ebi.ac.uk/pub/databases/emdb",
        "PROFET_CACHE_DIR": str(archive.caches / "profet"),
        "EMPIARREADER_CACHE_DIR": str(archive.caches / "empiarreader"),
    }


def test_caches_of_what_an_archive_made_up_end_with_it() -> None:
    with Archive() as archive:
        kept = archive.caches / "profet" / "4v1w.cif"
        kept.parent.mkdir(parents=True)
        kept.write_text("data_4V1W")

    assert not kept.exists()


def test_the_side_door_needs_the_token(archive: Archive) -> None:
    request = urllib.request.Request(f"{archive.base_url}/_archive/clear", data=b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()
    assert refused.value.code == 404
