"""Simulates the whole paper on 1 to 512 accelerators: the real scheduler in virtual time.

python benchmarks/scale.py                      # the table and docs/images/scale.png
python benchmarks/scale.py --rates rates.json   # with rates of your own (see Rates)
"""

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.scheduler import Options, Scheduler
from teasel.sweep.store.results import Results
from teasel.sweep.study.costs import ON_ACCELERATOR, after_seconds, cost, relative_step
from teasel.sweep.study.remaining import WantedTrial, remaining
from teasel.sweep.study.study import wanted_trials
from teasel.sweep.trials.trial import Trial
from teasel.sweep.work.tasks import Demand, Task, TrainPack
from teasel.tests.support.conditions import CALM, Durations, Faults
from teasel.tests.support.simulation import Simulation

FIGURE = Path(__file__).parents[1] / "docs" / "images" / "scale.png"
HOUR = 3600.0


@dataclass(frozen=True)
class Rates:
    """How fast one accelerator and one CPU core are.

    Attributes:
        model_steps_per_second: Of beta-VAE, batch 64, one channel, in large packs.
        launch_seconds: A step's part that no pack makes smaller.
        compile_seconds: Of one program for one size of pack.
        start_seconds: Of a process, until its first step or score.
        memory: Bytes of an accelerator.
    """

    model_steps_per_second: float = 19_300.0
    launch_seconds: float = 3e-4
    compile_seconds: float = 60.0
    start_seconds: float = 10.0
    memory: int = 140 * 10**9


SPOT = Faults(node_life=6 * HOUR, node_absence=HOUR / 4, slow=(0.05, 1.5), lose=0.002)
"""Spot nodes: taken away every six hours, one in twenty slower, now and then a worker dies."""


class Outcome(NamedTuple):
    """What a simulated run came to: hours until all is trained, shares of one, models in a pack."""

    trained: float
    idle: float
    lost: float
    packs: int
    median_pack: int


def model_step(trial: Trial, rates: Rates) -> float:
    """Seconds that a step of one model adds to that of its pack."""
    return relative_step(trial) / rates.model_steps_per_second


def model_seconds(everything: list[WantedTrial], rates: Rates) -> float:
    """Seconds of one accelerator, if nothing but the models' own work took time."""
    steps = sum(trial.training.steps * model_step(trial, rates) for trial, _ in everything)
    return steps + sum(after_seconds(trial, ON_ACCELERATOR) for trial, _ in everything)


def durations(rates: Rates) -> Durations:
    """How long things take at these rates."""

    def step(task: TrainPack) -> float:
        return rates.launch_seconds + len(task.trials) * model_step(task.trials[0], rates)

    def encode(task: TrainPack) -> float:
        return sum(after_seconds(trial, ON_ACCELERATOR) for trial in task.trials)

    def start(task: Task) -> float:
        return rates.start_seconds

    return Durations(start, lambda task: rates.compile_seconds, step, encode, lambda task: 0.0)


def run(
    everything: list[WantedTrial], num_gpus: int, rates: Rates, faults: Faults, pack: int | str
) -> Outcome:
    """The whole paper on nodes of up to eight accelerators with 24 CPU cores each."""
    per_node = min(8, num_gpus)
    machines = [Demand(cpus=24 * per_node, gpus=per_node)] * (num_gpus // per_node)
    steps = sum(trial.training.steps for trial, _ in everything)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        results = Results(folder)
        simulation = Simulation(
            results, machines, durations(rates), faults, seed=1, memory=rates.memory
        )
        options = Options(pack=pack)
        left = remaining(results, [WantedTrial(trial, ()) for trial, _ in everything])
        summary = Scheduler(
            results, "study", left, simulation, options, "run", clock=simulation.clock
        ).run()
        assert summary.done == len(everything), summary
    account = simulation.account
    sizes = sorted(account.pack_sizes)
    return Outcome(
        account.trained_at / HOUR,
        1 - account.busy / account.offered,
        account.lost_steps / steps,
        len(sizes),
        sizes[len(sizes) // 2],
    )


def draw(outcomes: dict[tuple[int, str, str], Outcome], counts: list[int], ideal: float) -> None:
    """Draws hours, and where the accelerators' time goes, against their number.

    Args:
        outcomes: By number of accelerators, conditions and size of packs.
        counts: Numbers of accelerators.
        ideal: Hours of one accelerator without an idle second.
    """
    import matplotlib.pyplot as plt

    figure, (hours, shares) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    hours.loglog(counts, [ideal / count for count in counts], "k--", lw=1, label="no idle second")
    for conditions, colour in (("calm", "C0"), ("spot", "C1")):
        runs = [outcomes[count, conditions, "auto"] for count in counts]
        hours.loglog(counts, [run.trained for run in runs], "o-", color=colour, label=conditions)
        shares.semilogx(
            counts,
            [100 * run.idle for run in runs],
            "o-",
            color=colour,
            label=f"{conditions}, idle",
        )
        shares.semilogx(
            counts,
            [100 * run.lost for run in runs],
            "x:",
            color=colour,
            label=f"{conditions}, again",
        )
    hours.set(xlabel="accelerators", ylabel="hours", xticks=counts, xticklabels=counts)
    shares.set(xlabel="accelerators", ylabel="% of their time", xticks=counts, xticklabels=counts)
    hours.legend(frameon=False)
    shares.legend(frameon=False)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", help="a JSON file with some of the fields of Rates")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 8, 64, 512])
    parser.add_argument("--packs", nargs="+", default=["auto", "64", "16"])
    arguments = parser.parse_args()
    rates = Rates(**json.loads(Path(arguments.rates).read_text()) if arguments.rates else {})
    os.fsync = lambda descriptor: None  # what is written is thrown away
    everything = wanted_trials([load_grid("locatello2019")[0]])
    ideal = model_seconds(everything, rates) / HOUR
    print(f"without an idle second: {ideal:.0f} hours of one accelerator to train;")
    scoring = cost((), everything, save_models=False, measured={}).score_seconds / HOUR
    print(f"{scoring:,.0f} core-hours to score: {scoring / ideal:.1f} cores for each accelerator")
    print("| accelerators | conditions | pack | trained, h | idle | again | packs | median |")
    print("|" + " --- |" * 8)
    outcomes = {}
    for count in arguments.counts:
        for conditions, faults in (("calm", CALM), ("spot", SPOT)):
            for pack in arguments.packs if count >= 64 else arguments.packs[:1]:
                size = pack if pack == "auto" else int(pack)
                one = outcomes[count, conditions, pack] = run(
                    everything, count, rates, faults, size
                )
                print(
                    f"| {count} | {conditions} | {pack} | {one.trained:.2f} | {one.idle:.1%} | "
                    f"{one.lost:.1%} | {one.packs} | {one.median_pack} |",
                    flush=True,
                )
    draw(outcomes, arguments.counts, ideal)


if __name__ == "__main__":
    main()
