"""The README's promises that a test can check."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_pieces_work_by_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [
        code for code in re.findall(r"```python\n(.*?)```", README, re.S) if "Trainer" in code
    ]
    exec(block, {})
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_its_grid_is_valid() -> None:
    from teasel.sweep.grid.grid import check_grid
    from teasel.sweep.grid.source import read_yaml

    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.S)
    assert len(check_grid(read_yaml(text, "mine.yaml")).trials()) == 2 * (3 + 2 + 1) * 5


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(([\w./-]+)\)", README))))
def test_its_links_lead_somewhere(name: str) -> None:
    assert (ROOT / name).exists()
