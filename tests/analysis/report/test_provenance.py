import hashlib

import numpy as np

from teasel.analysis import fingerprints
from teasel.sweep.store.results import Results
from teasel.tests.support.synthetic import SyntheticResults


def test_the_scores_hash_depends_on_the_scores_alone(tmp_path) -> None:
    made = SyntheticResults(np.random.default_rng(0), num_seeds=1)
    rows = made.table("scores").to_pylist()
    hashes = []
    for name, parts in (("one", [rows]), ("two", [rows[400:], rows[:400]])):
        folder = Results(tmp_path / name)
        folder.write_study(made.study, f"study: {name}")
        for number, part in enumerate(parts):
            folder.add("scores", str(number), part)
        hashes.append(fingerprints(folder).set_index("what"))
    assert hashes[0].equals(hashes[1])
    study = (tmp_path / "one" / "study.json").read_bytes()
    assert hashes[0].loc["study.json", "sha256"] == hashlib.sha256(study).hexdigest()
    rows[0]["value"] += 1e-9
    changed = Results(tmp_path / "changed")
    changed.write_study(made.study, "study: changed")
    changed.add("scores", "0", rows)
    assert fingerprints(changed).set_index("what").loc["scores", "sha256"] not in set(
        hashes[0]["sha256"]
    )
