"""Speed of a results folder at the paper's size: 12,600 synthetic trials, as left by a driver.

python benchmarks/store.py              # makes the study (2 GB) as a driver does; reads it as it is
                                        # shortly before the end, and after it
python benchmarks/store.py --keep DIR   # the same, and leaves the study at DIR
python benchmarks/store.py --loose      # the same of a study that nobody has folded
python benchmarks/store.py --requests   # what folding asks of an object store (moto's server)
python benchmarks/store.py --digests    # what digests and checksums cost a run, and scores()

Each reading is a process of its own, timed after its imports.
"""

import argparse
import contextlib
import importlib
import io
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teasel.__main__ import main as teasel
from teasel.analysis import scores
from teasel.storage import is_sound, seal
from teasel.sweep.commands.run import run
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.folding import Folding
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store import store
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import PictureRow, Scored, ScoreRow, TrialRow, to_table
from teasel.sweep.study.freeze import freeze
from teasel.sweep.study.remaining import WantedTrial
from teasel.sweep.study.study import wanted_trials
from teasel.sweep.trials.request import MetricRequest

PACK = 12  # trials, hence 1,050 packs: every pack leaves a file of each table
SCORES_PER_REQUEST = 10  # 20 requests a trial: 100 scores a representation
NUM_CODES = 500
NUM_ON_OBJECT_STORE = 600  # trials
STEPS = 300_000


def make(
    folder: str, most: int | None = None, after_pack: Callable[[], None] = lambda: None
) -> None:
    """The study, done: one file of scores for each trial, the other tables one for each pack.

    Args:
        folder: Where.
        most: Only its first trials, so many.
        after_pack: Called when all files of a pack are there.
    """
    results, rng = Results(folder), np.random.default_rng(0)
    loaded = load_grid("locatello2019")
    freeze(results, [loaded])
    everything = wanted_trials([loaded[0]])[:most]
    results.add_points("dsprites", np.arange(15_000), rng.integers(0, 40, (15_000, 5)))
    for first in range(0, len(everything), PACK):
        pack, attempt_id = everything[first : first + PACK], f"{first:012x}-run-train-1"
        with_codes = pack[: max(0, NUM_CODES - first)]
        codes = rng.normal(size=(len(with_codes), 2, 15_000, 10)).astype(np.float32)
        results.add_codes(
            "dsprites",
            attempt_id,
            [(each.trial.trial_id, *own) for each, own in zip(with_codes, codes, strict=True)],
        )
        add_pack(results, attempt_id, pack, rng)
        for wanted in pack:
            add_scores(results, wanted, rng)
        after_pack()


class Driver:
    """Folds as a driver does while packs end, and times it.

    A pack takes 12 seconds: 12,600 trials in three and a half hours, as on a large cluster.
    """

    def __init__(self, results: Results) -> None:
        self.now, self.busy, self.slowest, self.num_folds = 0.0, 0.0, 0.0, 0
        self._folding = Folding(results, "run", lambda: self.now)

    def after_pack(self) -> None:
        """Takes note of a pack that has ended."""
        self.now += 12.0
        self._time(lambda: self._folding.fold(()))
        self.num_folds = int(self.now // 60)

    def finish(self) -> float:
        """Folds everything; returns CPU seconds."""
        before = self.busy
        self._time(self._folding.finish)
        return self.busy - before

    def _time(self, do: Callable[[], object]) -> None:
        started = time.perf_counter()
        self.busy += busy(do)
        self.slowest = max(self.slowest, time.perf_counter() - started)


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
    template = _template(wanted.trial.dataset, wanted.requests)
    size = len(template)
    values = {
        "trial_id": pa.array([trial_id] * size),
        "value": pa.array(rng.random(size)),
        "seconds": pa.array(rng.random(size)),
    }
    for name, column in values.items():
        template = template.set_column(template.column_names.index(name), name, column)
    results.store.write_table(f"tables/scores/{trial_id}-run-score-1.parquet", template)


@cache
def _template(dataset: str, requests: tuple[MetricRequest, ...]) -> pa.Table:
    """The rows of a trial of a data set, but for its id and the numbers."""
    rows = [
        ScoreRow.of(
            Scored("", dataset),
            request,
            request.metric if number == 0 else f"score_{number}",
            attempt=1,
        )
        for request in requests
        for number in range(SCORES_PER_REQUEST)
    ]
    return to_table("scores", rows)


def _some_codes(folder: str) -> None:
    results = Results(folder)
    for wanted in wanted_trials([load_grid("locatello2019")[0]])[:NUM_CODES:5]:
        results.representation(wanted.trial.trial_id)


READINGS: dict[str, Callable[[str], object]] = {
    "status": lambda folder: teasel(["status", folder]),
    "plan of what is missing, as a resumed run makes it": lambda folder: teasel(
        ["plan", "locatello2019", "--results", folder]
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
    about = Path("/proc/self/status").read_text()  # ru_maxrss includes the process that started it
    peak = int(re.findall(r"VmHWM:\s+(\d+)", about)[0]) / 2**20
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


def print_requests() -> None:
    """Requests to an object store that folding makes, beside those that write the files."""
    boto3, moto = (importlib.import_module(name) for name in ("boto3", "moto.server"))
    os.environ |= {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "a-secret"}
    counted: Counter[str] = Counter()

    class Count(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            counted.update(re.findall(r"(GET|HEAD|PUT|POST|DELETE) /", record.getMessage()))

    log = logging.getLogger("werkzeug")
    log.handlers, log.propagate = [Count()], False
    log.setLevel(logging.INFO)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=True)
    server.start()
    address = "{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=f"http://{address}", region_name="us-east-1").create_bucket(
        Bucket="studies"
    )
    uri = f"s3://studies/made?endpoint_override={address}&scheme=http"
    driver, asked = Driver(Results(uri)), Counter[str]()

    def after_pack() -> None:
        before = counted.copy()
        driver.after_pack()
        asked.update(counted - before)

    make(uri, NUM_ON_OBJECT_STORE, after_pack)
    print(f"{NUM_ON_OBJECT_STORE:,} trials: {counted.total():,} requests, {dict(counted)}; of them")
    print(f"{driver.num_folds} times to fold: {asked.total():,}, {dict(asked)}")
    before = counted.copy()
    driver.finish()
    print(f"the end: {(counted - before).total():,}, {dict(counted - before)}")
    server.stop()


def main(folder: str, is_loose: bool) -> None:
    driver = Driver(Results(folder))
    if not Results(folder).exists():
        make(folder, after_pack=(lambda: None) if is_loose else driver.after_pack)
        print(f"{driver.num_folds} times to fold: {driver.busy:.1f} CPU seconds, ", end="")
        print(f"the slowest {driver.slowest:.1f} s")
    print_state(folder)
    read_all(folder)
    print(f"\nall folded: {driver.finish():.1f} CPU seconds")
    print_state(folder)
    read_all(folder)


def print_state(folder: str) -> None:
    """Counts the files of each folder of Parquet."""
    counts = Counter(file.parent.name for file in Path(folder).rglob("*.parquet"))
    print(", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", metavar="DIR")
    parser.add_argument("--loose", action="store_true")
    parser.add_argument("--requests", action="store_true")
    parser.add_argument("--digests", action="store_true")
    parser.add_argument("--read", choices=READINGS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.read, given.keep)
    elif given.digests:
        print_cost_of_digests()
    elif given.requests:
        print_requests()
    elif given.keep:
        main(given.keep, given.loose)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(temporary, given.loose)
