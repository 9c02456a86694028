"""Consensus of pickers: against a planted truth, a k-d tree, and what must hold for any points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import cKDTree

from caked import consensus
from caked.errors import InvalidOptionError, ShapeError


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("at_least", [1, 2, 3])
def test_planted_particles_are_found_where_enough_pickers_saw_them(ndim: int, at_least: int) -> None:
    generator = np.random.default_rng(ndim)
    grid = np.stack(np.meshgrid(*[np.arange(6) * 40.0] * ndim), axis=-1).reshape(-1, ndim)
    seen = generator.random((3, len(grid))) < 0.6
    jitter = generator.uniform(-2, 2, (3, *grid.shape))  # the farthest two of one particle are 4√3 apart
    picks = [generator.permutation((grid + jitter[k])[seen[k]]) for k in range(3)]
    found = consensus(picks, within_pixels=7.0, at_least=at_least)

    agreed = seen.sum(axis=0) >= at_least
    places = np.where(seen[..., None], grid + jitter, 0).sum(axis=0)
    means = (places / np.maximum(1, seen.sum(axis=0))[:, None])[agreed]
    distance, nearest = cKDTree(found.points).query(means)
    assert len(found.points) == agreed.sum()
    assert distance.max() < 1e-9
    assert (found.votes[nearest] == seen.sum(axis=0)[agreed]).all()
    assert (np.diff(found.votes) <= 0).all()


POINTS = arrays(np.float64, st.tuples(st.integers(0, 12), st.just(2)), elements=st.integers(0, 30).map(float))


@settings(deadline=None, max_examples=200)
@given(picks=st.lists(POINTS, min_size=1, max_size=4), distance=st.integers(0, 9), data=st.data())
def test_what_holds_for_any_points(picks: list[np.ndarray], distance: int, data: st.DataObject) -> None:
    at_least = data.draw(st.integers(1, len(picks)))
    found = consensus(picks, within_pixels=distance, at_least=at_least)
    total = sum(len(points) for points in picks)

    assert (found.votes >= at_least).all()
    assert (found.votes <= len(picks)).all()
    assert found.votes.sum() <= total
    if at_least == 1:
        assert found.votes.sum() == total  # every point went into exactly one
    for point, votes in zip(found.points, found.votes, strict=True):
        # every member is within the distance of the first, so within twice that of the mean
        apart = [np.sqrt(((p - point) ** 2).sum(axis=1)) for p in picks if len(p)]
        assert sum(a.min() <= 2 * distance + 1e-9 for a in apart) >= votes


def test_two_close_particles_stay_two_where_the_pickers_saw_two() -> None:
    first = np.array([[10.0, 10.0], [10.0, 16.0]])
    second = np.array([[10.0, 15.0], [10.0, 11.0]])
    found = consensus([first, second], within_pixels=8, at_least=2)

    assert sorted(found.points.tolist()) == [[10.0, 10.5], [10.0, 15.5]]


def test_no_points_and_wrong_options() -> None:
    empty = consensus([np.empty((0, 3)), np.empty((0, 3))], within_pixels=5, at_least=2)
    assert len(empty.points) == len(empty.votes) == 0
    with pytest.raises(InvalidOptionError, match="Of 2 pickers 3 cannot agree"):
        consensus([np.zeros((1, 2))] * 2, within_pixels=5, at_least=3)
    with pytest.raises(InvalidOptionError, match="0 or more"):
        consensus([np.zeros((1, 2))], within_pixels=float("nan"), at_least=1)
    with pytest.raises(ShapeError, match="every picker"):
        consensus([np.zeros((1, 2)), np.zeros((1, 3))], within_pixels=5, at_least=1)
