from types import SimpleNamespace

from teasel.sweep.schedule.nodes import Nodes
from teasel.sweep.work.tasks import ScoreTrials


def task(*trials: str) -> ScoreTrials:
    named = tuple(SimpleNamespace(trial_id=name) for name in trials)
    return SimpleNamespace(trials=named)  # type: ignore[return-value]


def test_a_node_is_set_aside_when_two_of_its_failures_succeed_elsewhere() -> None:
    nodes = Nodes()
    nodes.note_failure("bad", task("a", "b"))
    nodes.note_failure("bad", task("c"))
    # Halves of one attempt that failed prove it once.
    assert nodes.note_success("good", task("a")) == []
    assert nodes.note_success("good", task("b")) == []
    assert nodes.note_success("good", task("c")) == ["bad"]
    assert nodes.note_success("good", task("d")) == []


def test_trials_that_fail_everywhere_blame_no_node() -> None:
    nodes = Nodes()
    for node in ("one", "other", "one", "other"):
        nodes.note_failure(node, task("a"))
    assert nodes.note_success("one", task("b")) == []
    assert nodes.note_success("other", task("c")) == []


def test_a_node_that_succeeds_begins_anew() -> None:
    nodes = Nodes()
    nodes.note_failure("n", task("a"))
    assert nodes.note_success("m", task("a")) == []
    nodes.note_failure("n", task("b"))
    assert nodes.note_success("n", task("c")) == []
    assert nodes.note_success("m", task("b")) == []


def test_a_lost_attempt_whose_node_nobody_knows_blames_none() -> None:
    nodes = Nodes()
    for name in "abc":
        nodes.note_failure("", task(name))
    assert [nodes.note_success("n", task(name)) for name in "abc"] == [[], [], []]
