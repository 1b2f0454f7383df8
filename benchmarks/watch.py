"""The cost of following a study: CPU seconds per reading of 12,600 synthetic trials, folded.

python benchmarks/watch.py              # makes the study (120 MB), and looks at it
python benchmarks/watch.py --keep DIR   # the same of a study that is at DIR, or is left there
"""

import argparse
import resource
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import store
from store import PACK, Driver, add_pack, add_scores, make

from teasel.analysis.report.watch import Watched
from teasel.sweep.store.results import Results
from teasel.sweep.study.study import read_study

store.NUM_CODES = 0


def measure(what: str, do: Callable[[], object]) -> None:
    started = time.process_time()
    do()
    print(f"| {what} | {time.process_time() - started:.3f} |", flush=True)


def add_a_pack(results: Results) -> None:
    """Writes what one more trained and scored pack leaves; its rows stand there already."""
    pack, rng = read_study(results).wanted_trials()[-PACK:], np.random.default_rng(1)
    add_pack(results, f"last-{uuid.uuid4().hex[:8]}-train-1", pack, rng)
    for wanted in pack:
        add_scores(results, wanted, rng)


def main(folder: str) -> None:
    results = Results(folder)
    if not results.exists():
        driver = Driver(results)
        make(folder, after_pack=driver.after_pack)
        driver.finish()
    now = [0.0]
    watched = Watched(folder, 0.0, lambda: now[0])
    print("| a look | CPU-seconds |\n| --- | --- |")
    measure("the status, for the first time", watched.status)
    measure("the models, for the first time", watched.models)
    measure("the curves, once a model is chosen", watched.curves)
    now[0] += 1.0
    measure("the status and the models, nothing has changed", lambda: look(watched))
    add_a_pack(results)
    now[0] += 1000.0
    measure("the status, a pack has been trained and scored", watched.status)
    measure("the models, a pack has been trained and scored", watched.models)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nthe process's peak of memory: {peak:.2f} GiB")


def look(watched: Watched) -> None:
    watched.status()
    watched.models()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", metavar="DIR")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(given.keep or str(Path(temporary, "study")))
