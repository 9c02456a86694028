"""What the embedded archive makes up under real ids never reaches the cache of the person who runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mode", [(), ("--as-hosts",)], ids=["by settings", "as hosts"])
def test_a_structure_of_the_embedded_archive_stays_out_of_the_users_cache(
    mode: tuple[str, ...], demo_content: Path, tmp_path: Path
) -> None:
    profet = Path(sys.executable).with_name("profet")
    words = [sys.executable, "-m", "perc_archive", "--content", demo_content, *mode, "--", profet, "4v1w"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "examples"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [str(word) for word in [*words, "--save_directory", tmp_path / "wanted"]],
        env=env,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "wanted" / "4v1w.cif").is_file()
    assert not (tmp_path / ".cache").exists()
