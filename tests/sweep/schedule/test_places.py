"""Which machines and accelerators are set aside, and which trials are to blame instead."""

from types import SimpleNamespace

import pytest

from teasel.sweep.schedule.places import Places
from teasel.sweep.work.tasks import NOWHERE, Demand, Place, ScoreTrials

N1, N2 = Place("id1", "n1"), Place("id2", "n2")


def gpu(number: int, node: Place = N1) -> Place:
    return node._replace(accelerator=f"GPU {number}")


def task(*trials: str) -> ScoreTrials:
    named = tuple(SimpleNamespace(trial_id=name) for name in trials)
    return SimpleNamespace(trials=named, demand=Demand(1, 1))  # type: ignore[return-value]


class Cluster:
    """Takes note of what is avoided; there are always others but where told."""

    def __init__(self, *only: Place) -> None:
        self.avoided: set[Place] = set()
        self._only = only

    def avoid(self, place: Place, demand: Demand) -> bool:
        if place in self._only:
            return False
        self.avoided.add(place)
        return True

    def readmit(self, place: Place) -> None:
        self.avoided.remove(place)


def places_on(cluster: Cluster) -> Places:
    return Places(cluster)  # type: ignore[arg-type]


def test_two_failures_in_a_row_set_a_place_aside_and_are_no_trials_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Cluster()
    places = places_on(cluster)
    assert not places.note_failure(N1, task("a"))
    assert places.note_failure(N1, task("b"))
    assert cluster.avoided == {N1}
    assert places.note_failure(N1, task("c"))  # which had begun before
    assert caplog.messages == ["n1 gets no more work: 2 attempts in a row failed there"]
    assert places.aside == {N1: "2 attempts in a row failed there"}


def test_a_success_in_between_is_no_row() -> None:
    cluster = Cluster()
    places = places_on(cluster)
    for name in "abcd":
        assert not places.note_failure(N1, task(name))
        places.note_success(N1)
    assert not cluster.avoided


def test_an_accelerator_is_told_from_its_node_by_those_that_work() -> None:
    cluster = Cluster()
    places = places_on(cluster)
    places.note_success(gpu(0))
    places.note_failure(gpu(3), task("a"))
    places.note_success(N1)  # a scoring on its CPUs says nothing of its accelerators
    assert places.note_failure(gpu(3), task("b"))
    assert cluster.avoided == {gpu(3)}


def test_a_node_none_of_whose_accelerators_works_is_set_aside_as_a_whole() -> None:
    cluster = Cluster()
    places = places_on(cluster)
    places.note_success(N1)
    assert not places.note_failure(gpu(0), task("a"))
    assert places.note_failure(gpu(1), task("b"))
    assert cluster.avoided == {N1}
    places.note_success(gpu(2))
    assert not cluster.avoided


def test_on_the_only_node_an_accelerator_is_set_aside() -> None:
    cluster = Cluster(N1)
    places = places_on(cluster)
    assert not places.note_failure(gpu(0), task("a"))
    assert not places.note_failure(gpu(1), task("b"))
    assert places.note_failure(gpu(1), task("c"))
    assert cluster.avoided == {gpu(1)}


def test_trials_that_fail_where_others_work_are_to_blame(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster()
    places = places_on(cluster)
    places.note_failure(N1, task("a", "b"))
    places.note_failure(N1, task("a"))
    places.note_success(N2)
    assert not places.note_failure(N2, task("a"))
    assert not cluster.avoided
    assert not places.aside
    assert caplog.messages[-1] == "n1 gets work again: what failed there fails elsewhere, too"
    # It has once been suspected wrongly: twice as many failures are needed now.
    assert [places.note_failure(N1, task(name)) for name in "cdef"] == [False, False, False, True]


def test_trials_that_are_given_up_are_to_blame() -> None:
    cluster = Cluster(N2)
    places = places_on(cluster)
    for place in (N1, N1, N2, N2):
        places.note_failure(place, task("a"))
    assert cluster.avoided == {N1}
    places.note_given_up({"b"})
    assert cluster.avoided == {N1}
    places.note_given_up({"a"})
    assert not cluster.avoided


def test_a_node_that_lacks_something_stays_aside_though_other_attempts_succeed_there() -> None:
    cluster = Cluster()
    places = places_on(cluster)
    assert places.set_aside(N1, Demand(), "it lacks space, rights or data")
    for name in "ab":  # of attempts that had begun before
        places.note_failure(N1, task(name))
    places.note_success(N1)
    assert cluster.avoided == {N1}


def test_the_only_place_and_one_that_nobody_knows_are_never_set_aside() -> None:
    cluster = Cluster(N1)
    places = places_on(cluster)
    for place in (N1, NOWHERE):
        assert not any(places.note_failure(place, task(name)) for name in "abc")
    assert not cluster.avoided
