"""What the scheduler itself costs, at the study's size: CPU seconds a pack, and peak memory.

python benchmarks/sweep_scheduling.py
"""

import argparse
import resource
import tempfile
import time
from collections import deque

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.schedule.scheduler import Options, Scheduler
from teasel.sweep.store.results import Results
from teasel.sweep.study.remaining import remaining
from teasel.sweep.study.study import wanted_trials
from teasel.sweep.work.attempt import Outcome
from teasel.sweep.work.tasks import Demand, Task

PACK_SECONDS = 60.0


class Instant(InProcess):
    """Machines on which every task ends well as soon as it is asked for."""

    def __init__(self, num_machines: int) -> None:
        self.offered = [Demand(cpus=24 * 8, gpus=8)] * num_machines
        self.queue: deque[Task] = deque()
        self.ended = 0

    def machines(self) -> list[Demand]:
        """Eight accelerators each."""
        return self.offered

    def accelerator_bytes(self) -> int:
        """A common size."""
        return 80 * 2**30

    def submit(self, task: Task) -> None:
        """Puts the task at the end of the queue."""
        self.queue.append(task)

    def wait(self, seconds: float) -> list[Outcome]:
        """The first task of the queue has ended."""
        self.ended += 1
        return [Outcome(self.queue.popleft(), value={"interrupted": False, "failed": []})]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=int, nargs="+", default=[64, 8])
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 8, 64])
    arguments = parser.parse_args()
    everything = wanted_trials([load_grid("locatello2019")[0]])
    print("| machines | pack | attempts | CPU-ms an attempt | share of a pack of a minute |")
    print("|" + " --- |" * 5)
    for num_machines in arguments.machines:
        for pack in arguments.packs:
            with tempfile.TemporaryDirectory() as folder:
                results = Results(folder)
                executor = Instant(num_machines)
                began = time.process_time()
                left = remaining(results, everything)
                clock = time.monotonic
                scheduler = Scheduler(
                    results, "study", left, executor, Options(pack=pack), "run", clock=clock
                )
                assert scheduler.run().done == len(everything)
                seconds = (time.process_time() - began) / executor.ended
            print(
                f"| {num_machines} | {pack} | {executor.ended} | {1000 * seconds:.1f} | "
                f"{seconds / PACK_SECONDS:.3%} |"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of the driver: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
