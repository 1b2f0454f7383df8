"""Speed of a results folder at the paper's size: 12,600 made trials, as a sweep leaves them.

python benchmarks/store.py              # makes the study (2 GB), reads it, compacts it, reads it
python benchmarks/store.py --keep DIR   # the same, and leaves the study at DIR

Each reading is a process of its own, timed after its imports.
"""

import argparse
import contextlib
import io
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from teasel.analysis import scores
from teasel.sweep.commands.plan import print_plan
from teasel.sweep.commands.status import print_status
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import PictureRow, ScoreRow, TrialRow, to_table
from teasel.sweep.study.freeze import freeze
from teasel.sweep.study.remaining import WantedTrial
from teasel.sweep.study.study import wanted_trials

PACK = 12  # trials, hence 1,050 packs: every pack leaves a file of each table
SCORES_PER_REQUEST = 10  # 20 requests a trial: 100 scores a representation
NUM_CODES = 500
STEPS = 300_000


def make(folder: str) -> None:
    """The study, done: one file of scores for each trial, the other tables one for each pack."""
    results, rng = Results(folder), np.random.default_rng(0)
    loaded = load_grid("locatello2019")
    freeze(results, [loaded])
    everything = wanted_trials([loaded[0]])
    results.add_points("dsprites", np.arange(15_000), rng.integers(0, 40, (15_000, 5)))
    for first in range(0, len(everything), PACK):
        add_pack(results, f"{first:012x}-run-train-1", everything[first : first + PACK], rng)
    for number, wanted in enumerate(everything):
        add_scores(results, wanted, rng)
        if number < NUM_CODES:
            codes = rng.normal(size=(2, 15_000, 10)).astype(np.float32)
            attempt_id = f"{number // PACK * PACK:012x}-run-train-1"
            if number % PACK == 0:
                pack = []
            pack.append((wanted.trial.trial_id, *codes))
            if number % PACK == PACK - 1 or number == NUM_CODES - 1:
                results.add_codes("dsprites", attempt_id, pack)


def add_pack(
    results: Results, attempt_id: str, pack: list[WantedTrial], rng: np.random.Generator
) -> None:
    """What a trained pack leaves in the tables."""
    trials = [trial for trial, _ in pack]
    rows = [
        TrialRow.of(
            trial,
            study="locatello2019",
            status="done",
            **dict(zip(("loss", "reconstruction", "kl", "elbo"), rng.random(4), strict=True)),
            kl_per_latent=list(rng.random(10)),
            train_seconds=100.0,
            pack_id=attempt_id[:12],
            pack_size=PACK,
            attempt=1,
            attempt_id=attempt_id,
            finished_at="2026-01-01T00:00:00+00:00",
        )
        for trial in trials
    ]
    results.add("trials", attempt_id, rows)
    size = PACK * 100
    curves = {
        "trial_id": np.repeat([trial.trial_id for trial in trials], 100),
        "step": np.tile(np.arange(1, 101) * STEPS // 100, PACK),
        **{name: rng.random(size) for name in ("loss", "reconstruction", "kl", "regularizer")},
        "attempt": np.ones(size, int),
    }
    results.store.write_table(f"tables/curves/{attempt_id}.parquet", pa.table(curves))
    results.add(
        "pictures",
        attempt_id,
        [
            PictureRow(trial.trial_id, kind, rng.bytes(1000), attempt=1)
            for trial in trials
            for kind in ("reconstructions", "traversals")
        ],
    )


def add_scores(results: Results, wanted: WantedTrial, rng: np.random.Generator) -> None:
    """What the scoring of a trial leaves."""
    trial_id = wanted.trial.trial_id
    template = _template(wanted)
    size = len(template)
    values = {
        "trial_id": pa.array([trial_id] * size),
        "value": pa.array(rng.random(size)),
        "seconds": pa.array(rng.random(size)),
    }
    for name, column in values.items():
        template = template.set_column(template.column_names.index(name), name, column)
    results.store.write_table(f"tables/scores/{trial_id}-run-score-1.parquet", template)


_templates: dict[int, pa.Table] = {}


def _template(wanted: WantedTrial) -> pa.Table:
    if not _templates:
        rows = [
            ScoreRow.of(
                wanted.trial,
                request,
                request.metric if number == 0 else f"score_{number}",
                attempt=1,
            )
            for request in wanted.requests
            for number in range(SCORES_PER_REQUEST)
        ]
        _templates[0] = to_table("scores", rows)
    return _templates[0]


def _some_codes(folder: str) -> None:
    results = Results(folder)
    for wanted in wanted_trials([load_grid("locatello2019")[0]])[:NUM_CODES:5]:
        results.representation(wanted.trial.trial_id)


READINGS: dict[str, Callable[[str], object]] = {
    "status": print_status,
    "plan of what is missing, as a resumed run makes it": lambda folder: print_plan(
        ["locatello2019"], None, folder
    ),
    "scores(wide=True)": lambda folder: scores(folder, wide=True),
    "representation() of 100 trials": _some_codes,
}


def read(name: str, folder: str) -> None:
    """One reading, timed: prints seconds, CPU seconds and the process's peak of memory."""
    started, busy = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        READINGS[name](folder)
    spent, busy = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {name} | {spent:.2f} | {busy:.2f} | {peak:.2f} |", flush=True)


def read_all(folder: str) -> None:
    print("| | seconds | CPU seconds | peak GiB |\n| --- | --- | --- | --- |", flush=True)
    for name in READINGS:
        subprocess.run([sys.executable, __file__, "--read", name, "--keep", folder], check=True)


def main(folder: str) -> None:
    if not Results(folder).exists():
        make(folder)
    for state in ("as the sweep left it", "compacted"):
        files = sum(1 for file in Path(folder).rglob("*.parquet"))
        print(f"\n{state}: {files:,} files\n")
        read_all(folder)
        if state != "compacted":
            code = f"from teasel.__main__ import main; main(['compact', {folder!r}])"
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            print(f"\ncompact: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", metavar="DIR")
    parser.add_argument("--read", choices=READINGS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.read, given.keep)
    elif given.keep:
        main(given.keep)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(temporary)
