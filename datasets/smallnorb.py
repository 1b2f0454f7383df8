"""SmallNORB (LeCun, Huang and Bottou 2004): 50 toys, 6 lights, 9 elevations, 18 azimuths."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .dataset import DataError, Example, Factor
from .definition import Definition
from .files import PublishedFile
from .published import Publication

_PLACES = (
    "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
    "https://www.cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
)
_TYPES = {0x1E3D4C55: np.dtype("u1"), 0x1E3D4C54: np.dtype("<i4")}


def _file(name: str, sha256: str, num_bytes: int) -> PublishedFile:
    urls = tuple(f"{place}smallnorb-{name}.mat.gz" for place in _PLACES)
    plain = f"smallnorb-{name}.mat"
    return PublishedFile(f"{plain}.gz", urls, f"sha256:{sha256}", plain, num_bytes)


TRAINING, TESTING = "5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing"
_DIGESTS = {
    TRAINING: {
        "dat": ("5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873", 131_896_188),
        "cat": ("2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa", 348),
        "info": ("de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32", 71_052),
    },
    TESTING: {
        "dat": ("cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474", 130_799_817),
        "cat": ("ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff", 347),
        "info": ("16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2", 10_428),
    },
}
"""The SHA-256 and the bytes of each file, by part and kind."""

FILES = tuple(
    _file(f"{part}-{kind}", *facts)
    for part, kinds in _DIGESTS.items()
    for kind, facts in kinds.items()
)


def read(paths: list[Path]) -> Iterator[Example]:
    """The first camera's images of both parts, 96 x 96, in the order of their files."""
    for dat, cat, info in (paths[:3], paths[3:]):
        pairs, categories, views = read_matrix(dat), read_matrix(cat), read_matrix(info)
        count = len(pairs)
        shapes = (pairs.shape, categories.shape, views.shape)
        if shapes != ((count, 2, 96, 96), (count,), (count, 4)):
            raise DataError(
                f"{dat}, -cat and -info have shapes {shapes}, not (N, 2, 96, 96), (N,), (N, 4)"
            )
        for pair, category, (instance, elevation, azimuth, lighting) in zip(
            pairs, categories, views, strict=True
        ):
            factors = (category, instance, elevation, azimuth // 2, lighting)
            yield pair[0, :, :, None], factors


def read_matrix(path: Path) -> np.ndarray:
    """The array in a file of the publisher's binary matrix format, gzipped or plain.

    Raises:
        DataError: If the magic number is unknown or the file is too short or too long.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError) as error:
        raise DataError(f"{path} can't be read: {error}") from error
    words = np.frombuffer(content[: len(content[:64]) // 4 * 4], "<i4")
    magic, num_axes = words[:2] if len(words) >= 5 else (0, 0)
    if magic not in _TYPES or not 1 <= num_axes <= 8:
        raise DataError(f"{path} does not start like a byte or integer matrix of SmallNORB")
    shape, start = tuple(words[2 : 2 + num_axes]), 4 * (2 + max(num_axes, 3))
    expected = start + int(np.prod(shape, dtype=np.int64)) * _TYPES[magic].itemsize
    if len(content) != expected:
        raise DataError(f"{path} holds {len(content):,} bytes; its header says {expected:,}")
    return np.frombuffer(content, _TYPES[magic], offset=start).reshape(shape)


def shrink(image: np.ndarray) -> np.ndarray:
    """The 64 x 64 image, by Lanczos in 32-bit integers as in the paper.

    Differs from the original: clipped to [0, 255]; there, ringing exceeds the interval.
    """
    from PIL import Image

    wide = Image.fromarray(image[:, :, 0].astype(np.int32))
    small = np.asarray(wide.resize((64, 64), Image.Resampling.LANCZOS))
    return np.clip(small, 0, 255).astype(np.uint8)[:, :, None]


SMALLNORB = Definition(
    name="smallnorb",
    label="SmallNORB",
    grid=(
        Factor("category", 5),
        Factor("instance", 10, hidden=True),
        Factor("elevation", 9),
        Factor("azimuth", 18),
        Factor("lighting", 6),
    ),
    row_shape=(64, 64, 1),
    publication=Publication(
        files=FILES,
        licence="for research; must not be sold",
        homepage="https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
        read=read,
        convert=shrink,
    ),
)
