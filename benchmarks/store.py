"""Speed of a results folder at the paper's size: 12,600 made trials, as a sweep leaves them.

python benchmarks/store.py              # makes the study (2 GB), reads it, compacts it, reads it
python benchmarks/store.py --keep DIR   # the same, and leaves the study at DIR
python benchmarks/store.py --digests    # what digests and checksums cost a run, and scores()

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
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teasel.analysis import scores
from teasel.storage import is_sound, seal
from teasel.sweep.commands.plan import print_plan
from teasel.sweep.commands.run import run
from teasel.sweep.commands.status import print_status
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store import store
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import PictureRow, ScoreRow, TrialRow, to_table
from teasel.sweep.study.freeze import freeze
from teasel.sweep.study.remaining import WantedTrial
from teasel.sweep.study.study import wanted_trials

PACK = 12  # trials, hence 1,050 packs: every pack leaves a file of each table
SCORES_PER_REQUEST = 10  # 20 requests a trial: 100 scores a representation
NUM_CODES = 500
STEPS = 300_000


def make(folder: str, most: int | None = None) -> None:
    """The study, done: one file of scores for each trial, the other tables one for each pack.

    Of its first trials only, if `most` says how many.
    """
    results, rng = Results(folder), np.random.default_rng(0)
    loaded = load_grid("locatello2019")
    freeze(results, [loaded])
    everything = wanted_trials([loaded[0]])[:most]
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


@contextlib.contextmanager
def without_digests() -> Iterator[None]:
    """Makes, compares and verifies nothing."""
    with (
        mock.patch.object(store, "seal", lambda content: content),
        mock.patch.object(store, "is_sound", return_value=True),
        mock.patch.object(pq, "ParquetFile", partial(plain_file, pq.ParquetFile)),
    ):
        yield


def plain_file(kind: type, source: object, **options: object) -> object:
    """An opened Parquet file whose pages are not verified."""
    return kind(source, **options | {"page_checksum_verification": False})


def busy(do: Callable[[], object]) -> float:
    """CPU seconds of this process, all threads."""
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        do()
    return time.process_time() - started


def share_of_digests(do: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds, and those of them that go into making and comparing digests."""
    spent = [0.0]

    def timed(function: Callable[[bytes], object], content: bytes) -> object:
        started = time.thread_time()
        try:
            return function(content)
        finally:
            spent[0] += time.thread_time() - started

    with (
        mock.patch.object(store, "seal", partial(timed, seal)),
        mock.patch.object(store, "is_sound", partial(timed, is_sound)),
    ):
        return busy(do), spent[0]


def print_cost_of_digests() -> None:
    """The share of a run, and what `scores` takes with and without them, in turns."""
    print("| | CPU seconds | digests and checksums |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:

        def train() -> None:  # ten updates, the least training beside what is written
            run(["smoke"], f"{name}/run", select="method=beta_vae", executor=InProcess())

        seconds, share = share_of_digests(train)
        print(f"| run smoke | {seconds:.2f} | {share / seconds:.2%} |", flush=True)
        make(f"{name}/study", 1200)

        def read() -> None:
            scores(f"{name}/study", wide=True)

        read()
        seconds, share = share_of_digests(read)
        print(f"| scores(wide=True), digests | {seconds:.2f} | {share / seconds:.2%} |", flush=True)
        taken: dict[bool, list[float]] = {False: [], True: []}
        for number in range(20):
            with without_digests() if number % 2 else contextlib.nullcontext():
                taken[number % 2 == 0].append(busy(read))
        without, seconds = np.median(taken[False]), np.median(taken[True])
        print(f"| scores(wide=True), all | {seconds:.2f} | {1 - without / seconds:.2%} |")


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
    parser.add_argument("--digests", action="store_true")
    parser.add_argument("--read", choices=READINGS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.read, given.keep)
    elif given.digests:
        print_cost_of_digests()
    elif given.keep:
        main(given.keep)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(temporary)
