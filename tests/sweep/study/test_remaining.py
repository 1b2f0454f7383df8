"""What a folder lacks of a study."""

from pathlib import Path

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import ScoreRow
from teasel.sweep.study.remaining import remaining
from teasel.sweep.study.study import wanted_trials


def test_a_training_that_was_forgotten_keeps_its_scores(tmp_path: Path) -> None:
    results = Results(tmp_path)
    (first, *others) = wanted_trials([load_grid("smoke")[0]])
    kept, *missing = first.requests
    results.add("scores", "a", [ScoreRow.of(first.trial, kept, "score")])
    left = remaining(results, [first, *others])
    assert left.untrained == [first._replace(requests=tuple(missing)), *others]


def test_scores_at_points_of_an_earlier_version_are_made_anew(tmp_path: Path) -> None:
    results = Results(tmp_path)
    grid = load_grid(
        {
            "study": "points",
            "datasets": ["dsprites", "smallnorb"],
            "seeds": [0],
            "methods": {"pca": {}},
            "representations": ["mean"],
            "metrics": ["mig", "sap"],
        }
    )[0]
    wanted = wanted_trials([grid])
    rows = [
        ScoreRow.of(trial, request, "score")._replace(points=1)
        for trial, requests in wanted
        for request in requests
    ]
    results.add("scores", "before", rows)
    plain, norb = remaining(results, wanted).untrained
    assert plain.requests == ()
    assert norb == wanted[1]
    results.add("scores", "after", [ScoreRow.of(norb.trial, norb.requests[0], "score")])
    _, norb = remaining(results, wanted).untrained
    assert [request.metric for request in norb.requests] == ["sap"]
