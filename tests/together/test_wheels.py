"""Each library works from its wheel, in an environment that holds nothing but what it declares."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
LIBRARIES = ("profet", "empiarreader", "caked")
DATA = {
    "empiarreader": {
        "empiarreader/catalogue/synonyms.json",
        *(f"empiarreader/browsing/page/page.{kind}" for kind in ("html", "css", "js")),
    }
}


def _run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for library in LIBRARIES:
        _run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT / library)
    return {library: next(folder.glob(f"{library}-*.whl")) for library in LIBRARIES}


def _environment(folder: Path, *requirements: str) -> Path:
    """New environment with these installed; its Python."""
    _run(UV, "venv", "--quiet", "--python", sys.executable, folder / "env")
    python = folder / "env" / "bin" / "python"
    _run(UV, "pip", "install", "--quiet", "--python", python, *requirements)
    return python


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_wheel_holds_the_library_its_types_and_its_licence_and_nothing_else(
    library: str, wheels: dict[str, Path]
) -> None:
    names = zipfile.ZipFile(wheels[library]).namelist()
    sources = {
        p.relative_to(ROOT / library / "src").as_posix() for p in (ROOT / library / "src").rglob("*.py")
    }
    package = {name for name in names if not name.startswith(f"{library}-")}

    assert package == sources | DATA.get(library, set()) | {f"{library}/py.typed"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_imports_with_its_declared_dependencies_only(
    library: str, wheels: dict[str, Path], tmp_path: Path
) -> None:
    python = _environment(tmp_path, str(wheels[library]))
    code = (
        f"import importlib, pkgutil, {library}\n"
        f"for name in {library}.__all__: getattr({library}, name)\n"
        f"for module in pkgutil.walk_packages({library}.__path__, '{library}.'):\n"
        f"    module.name.endswith('__main__') or importlib.import_module(module.name)\n"
        f"print({library}.__file__)\n"
    )

    assert str(tmp_path) in _run(python, "-W", "error", "-c", code, cwd=tmp_path)
    assert "2.0.0" in _run(python.with_name(library), "--version", cwd=tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_tests_of_a_library_pass_on_its_wheel(
    library: str, wheels: dict[str, Path], tmp_path: Path
) -> None:
    python = _environment(tmp_path, f"{library}[test] @ {wheels[library].as_uri()}")
    said = _run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{library}")

    assert " passed" in said
