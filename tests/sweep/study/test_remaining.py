"""What a folder lacks of a study."""

from pathlib import Path

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import REQUEST_KEY
from teasel.sweep.study.remaining import remaining
from teasel.sweep.study.study import wanted_trials


def test_a_training_that_was_forgotten_keeps_its_scores(tmp_path: Path) -> None:
    results = Results(tmp_path)
    (first, *others) = wanted_trials([load_grid("smoke")[0]])
    kept, *missing = first.requests
    row = {"trial_id": first.trial.trial_id, "score": "score"}
    results.add("scores", "a", [row | dict(zip(REQUEST_KEY, kept.key, strict=True))])
    left = remaining(results, [first, *others])
    assert left.untrained == [first._replace(requests=tuple(missing)), *others]
