"""What a study's folder says of the names in it."""

from teasel.metrics import METRICS
from teasel.sweep.grid.grid import check_grid, resolve
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.store.versions import upgrade_study
from teasel.sweep.study.catalogue import describe_grid

TEXT = """\
study: s
datasets: [dsprites_mini]
seeds: 1
methods: {beta_vae: {beta: 1}, untrained: {}, pca: {}, raw_pixels: {}}
training: {steps: 0}
metrics: [mig]
"""


def test_a_method_counts_as_trained_by_what_it_is_and_not_by_its_steps() -> None:
    resolved = resolve(check_grid(read_yaml(TEXT, "s.yaml")))
    today = describe_grid(resolved)["methods"]
    study = {"schema_version": 1, "grids": [{"yaml": TEXT, **resolved}]}
    for methods in (today, upgrade_study(study)["catalogue"]["methods"]):
        trained = {name: facts["trained"] for name, facts in methods.items()}
        assert trained == {"beta_vae": True, "untrained": False, "pca": False, "raw_pixels": False}
        keeps = {name: facts["keeps"] for name, facts in methods.items()}
        both = ["parameters", "codes"]
        assert keeps == {"beta_vae": both, "untrained": both, "pca": ["codes"], "raw_pixels": []}


def test_a_metric_is_described_by_wide_columns() -> None:
    resolved = resolve(check_grid(read_yaml(TEXT.replace("[mig]", "[dci]"), "s.yaml")))
    dci = describe_grid(resolved)["metrics"]["dci"]
    assert dci["labels"]["dci_disentanglement"] == METRICS["dci"].labels["disentanglement"]
    assert dci["defaults"] == {"num_train": 10_000, "num_test": 5_000}
