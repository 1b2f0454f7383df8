"""What `teasel data list` says of a data set."""

from pathlib import Path

import pytest

from teasel.datasets import DATASETS


@pytest.fixture(autouse=True)
def _nothing_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("TEASEL_DATA_DIR", raising=False)


def test_a_drawn_set_is_always_to_be_had() -> None:
    status = DATASETS["dsprites_mini"].status()
    assert (status.ready, status.state) == (False, "to be rendered")
    assert status.num_images == 46_080
    assert status.num_bytes == 46_080 * 512
    DATASETS["dsprites_mini"].prepare()
    status = DATASETS["dsprites_mini"].status()
    assert (status.ready, status.state, status.advice) == (True, "prepared (drawn)", "")


def test_a_set_without_its_files_says_what_is_missing_how_large_and_how_to_get_it() -> None:
    status = DATASETS["smallnorb"].status()
    assert not status.ready
    assert status.state.count(".mat.gz") == 6
    assert "`teasel data prepare smallnorb` downloads 263 MB if still available" in status.advice
    assert "TEASEL_DATA_DIR" in status.advice
    assert status.licence == "for research; must not be sold"


def test_files_that_are_there_are_seen(tmp_path: Path) -> None:
    (tmp_path / "3dshapes.h5").touch()
    status = DATASETS["shapes3d"].status(tmp_path)
    assert (status.ready, status.state) == (False, "files found")


def test_a_variant_needs_its_painting_and_the_sprites() -> None:
    status = DATASETS["scream_dsprites_mini"].status()
    assert status.state == "missing scream.jpg"
    DATASETS["dsprites_mini"].prepare()
    assert not DATASETS["scream_dsprites_mini"].status().ready
    assert DATASETS["noisy_dsprites_mini"].status().ready
