"""The cost of the scheduler at the paper's size: CPU seconds per pack, and peak memory.

python benchmarks/sweep_scheduling.py
"""

import argparse
import resource
import tempfile
import time

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.scheduler import Options, Scheduler
from teasel.sweep.store.results import Results
from teasel.sweep.study.remaining import remaining
from teasel.sweep.study.study import wanted_trials
from teasel.sweep.work.tasks import Demand
from teasel.tests.support.simulation import Simulation

PACK_SECONDS = 60.0


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
                machines = [Demand(cpus=24 * 8, gpus=8)] * num_machines
                executor = Simulation(results, machines, writes=False)
                began = time.process_time()
                left = remaining(results, everything)
                clock = time.monotonic
                scheduler = Scheduler(
                    results, "study", left, executor, Options(pack=pack), "run", clock=clock
                )
                assert scheduler.run().done == len(everything)
                seconds = (time.process_time() - began) / len(executor.begun)
            print(
                f"| {num_machines} | {pack} | {len(executor.begun)} | {1000 * seconds:.1f} | "
                f"{seconds / PACK_SECONDS:.3%} |"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of the driver: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
