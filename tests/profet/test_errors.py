"""One tree of errors, each also what people catch, and all cross process borders."""

from __future__ import annotations

import inspect
import pickle

import pytest

import profet
from profet import errors

LEAVES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.ProfetError)
]
BUILTINS = {
    errors.InvalidIdError: (ValueError,),
    errors.InvalidChoiceError: (ValueError, RuntimeError),
    errors.StructureNotFoundError: (LookupError, RuntimeError),
    errors.InactiveAccessionError: (LookupError, RuntimeError),
    errors.NotFetchedError: (LookupError, RuntimeError),
    errors.ServiceError: (ConnectionError, OSError),
    errors.OfflineError: (ConnectionError, OSError),
    errors.DamagedFileError: (ValueError,),
    errors.RefusedError: (ValueError,),
    errors.MissingFileError: (FileNotFoundError,),
    errors.CacheError: (OSError,),
}


@pytest.mark.parametrize("kind", LEAVES)
def test_one_message_makes_an_error_and_pickle_brings_it_back(kind: type[errors.ProfetError]) -> None:
    copy = pickle.loads(pickle.dumps(kind("something happened")))

    assert type(copy) is kind
    assert str(copy) == "something happened"


def test_facts_survive_pickling() -> None:
    gone = errors.InactiveAccessionError("gone", accession="Q00007", replaced_by=("P63151", "P63150"))
    unasked = errors.ServiceError("down", url="https://rest.uniprot.org/x", status=503)

    assert pickle.loads(pickle.dumps(gone)).replaced_by == ("P63151", "P63150")
    assert pickle.loads(pickle.dumps(gone)).accession == "Q00007"
    assert pickle.loads(pickle.dumps(unasked)).status == 503
    assert pickle.loads(pickle.dumps(unasked)).url == "https://rest.uniprot.org/x"


@pytest.mark.parametrize(("kind", "builtins"), BUILTINS.items())
def test_each_error_is_also_the_builtin_that_people_catch(
    kind: type[errors.ProfetError], builtins: tuple[type[BaseException], ...]
) -> None:
    assert issubclass(kind, builtins[0])
    assert all(issubclass(kind, builtin) for builtin in builtins)


def test_every_error_is_public() -> None:
    assert {kind.__name__ for kind in LEAVES} <= set(profet.__all__)
    assert set(LEAVES) == {errors.ProfetError, *BUILTINS}
