"""Speed of the analysis, and coverage of its intervals, on synthetic studies.

python benchmarks/analysis.py speed      # the report and one matrix, 12,600 trials
python benchmarks/analysis.py coverage   # every kind of interval at 10, 20 and 50 seeds
                                         # of Gaussian scores; --scores skewed, collapsed or seldom
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from teasel.analysis import rank_correlation, write_report
from teasel.tests.support.coverage import ESTIMATORS, SCORES, SHAPES, STUDY, coverage, true_shares
from teasel.tests.support.synthetic import SyntheticResults, cell_means, synthetic_scores


def speed() -> None:
    results = SyntheticResults(np.random.default_rng(0), num_datasets=7, num_seeds=50)
    for name in ("trials", "scores", "curves", "pictures"):
        results.table(name)
    with tempfile.TemporaryDirectory() as folder:
        started, busy = time.perf_counter(), time.process_time()
        write_report(results, Path(folder) / "report.html")
        spent, busy = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"report, 12,600 trials: {spent:.0f} s ({busy:.0f} s of CPU), peak {peak:.1f} GiB")
    names = [f"score_{number}" for number in range(20)]
    table = synthetic_scores(np.random.default_rng(0), columns=names)
    for shown, rows in (("12,600 models", table), ("1,800 models", table[:1800])):
        for count in (6, 20):
            started, busy = time.perf_counter(), time.process_time()
            rank_correlation(rows, names[:count], num_resamples=1000)
            spent, busy = time.perf_counter() - started, time.process_time() - busy
            print(
                f"rank correlation of {count} scores, {shown}, 1,000 bootstraps: {spent:.1f} s "
                f"({busy:.1f} s of CPU)"
            )


def measure_coverage(num_studies: int, shape: str, all_seeds: list[int], names: list[str]) -> None:
    rng = np.random.default_rng(0)
    means = cell_means(rng, num_datasets=2, num_scores=len(SCORES))
    known = None if "collapsed" in SHAPES[shape] else true_shares(means, SCORES)
    print(
        f"{shape} scores, share of {num_studies} made studies whose 95 % interval holds the truth: "
        "mean, lowest"
    )
    for name in names:
        estimate, value = ESTIMATORS[name]
        shown_for = []
        for num_seeds in all_seeds:
            held = coverage(
                *(estimate, value, rng, num_seeds, num_studies),
                known if name == "importance" else None,
                means=means,
                **STUDY,
                **SHAPES[shape],
            )
            shown = f"{held.mean():.3f}, {held.min():.3f}" if held.any() else "none shown"
            shown_for.append(f"{num_seeds} seeds {shown}")
        print(f"{name} ({len(held)} entries): {'; '.join(shown_for)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "coverage"))
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--scores", choices=tuple(SHAPES), default="gaussian")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 20, 50])
    parser.add_argument("--of", choices=tuple(ESTIMATORS), nargs="+", default=list(ESTIMATORS))
    given = parser.parse_args()
    if given.what == "speed":
        speed()
    else:
        measure_coverage(given.studies, given.scores, given.seeds, given.of)
