"""What `import caked` gives, what it costs, and what its errors are."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable

import pytest

import caked
import caked.errors


def test_all_is_true_and_complete() -> None:
    assert all(getattr(caked, name) is not None for name in caked.__all__)
    assert sorted(caked.__all__) == sorted(set(caked.__all__)) == dir(caked)
    assert set(caked.errors.__all__) <= set(caked.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        caked.Nothing  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        from caked import nothing  # type: ignore[attr-defined]  # noqa: F401


def test_importing_waits_for_nothing_and_draws_nothing(run_python: Callable[[str], str]) -> None:
    code = (
        "import sys, caked; print(sorted({'torch', 'torchvision', 'numpy', 'mrcfile', 'starfile', 'pandas'} "
        "& set(sys.modules))); import caked.dataloader, caked.recipe; "
        "print(sorted({'torchvision', 'mrcfile', 'starfile', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    assert run_python(code).split("\n")[:2] == ["[]", "[]"]


def test_every_name_can_be_imported_at_once(run_python: Callable[[str], str]) -> None:
    assert run_python("from caked import *; print(Dataset, stream, transforms)")


@pytest.mark.parametrize("name", caked.errors.__all__)
def test_an_error_is_built_from_one_message_and_survives_a_pickle(name: str) -> None:
    error_type = getattr(caked.errors, name)
    error = error_type("what happened")
    for key in getattr(inspect.getfullargspec(error_type.__init__), "kwonlyargs", []):
        if key in ("path", "name"):
            error = error_type("what happened", **{key: "a.mrc"})
    again = pickle.loads(pickle.dumps(error))

    assert isinstance(error, caked.CakedError)
    assert type(again) is error_type
    assert str(again) == str(error) == "what happened"
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("name", "caught_as"),
    [
        ("SourceNotFoundError", FileNotFoundError),
        ("UnreachableSourceError", OSError),
        ("DamagedFileError", ValueError),
        ("RefusedFileError", ValueError),
        ("ShapeError", ValueError),
        ("NonFiniteImageError", ValueError),
        ("InvalidOptionError", ValueError),
        ("InvalidOptionError", RuntimeError),
        ("ClassesNotFoundError", LookupError),
        ("ClassesNotFoundError", RuntimeError),
        ("SplitError", ValueError),
        ("SplitError", RuntimeError),
        ("RecipeError", ValueError),
    ],
)
def test_an_error_is_also_what_people_catch(name: str, caught_as: type[Exception]) -> None:
    assert issubclass(getattr(caked.errors, name), caught_as)
