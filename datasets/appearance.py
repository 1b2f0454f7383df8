"""The appearance of the paper's dSprites variants, added to white sprites."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import Appearance, DataError
from .files import PublishedFile, find, where_to_put

SCREAM = PublishedFile(
    "scream.jpg", ("https://upload.wikimedia.org/wikipedia/commons/f/f4/The_Scream.jpg",)
)


def color(data_dir: Path | None) -> Appearance:
    """Sprites with a colour sampled from [.5, 1)^3, on black."""
    del data_dir

    def paint(images: Any, words: Any) -> Any:
        return images * (0.5 + _uniform(words)[:, None, None, :] / 2)

    return Appearance("color", (3,), paint)


def noise(data_dir: Path | None) -> Appearance:
    """White sprites on noise sampled from [0, 1) for every pixel and channel.

    Differs from the original: noise has 1,024 levels, so that one random word serves the three
    channels of a pixel. Sampling 12,288 words per image would cost 7 % of a training step.
    """
    del data_dir

    def paint(images: Any, words: Any) -> Any:
        levels = (words[..., None] >> np.array([[[[0, 10, 20]]]], np.uint32)) & np.uint32(1023)
        return images.__array_namespace__().maximum(
            images, (levels.astype(np.float32) + 0.5) / 1024
        )

    return Appearance("noise", (64, 64), paint)


def scream(data_dir: Path | None) -> Appearance:
    """A patch of The Scream in shifted colours, inverted at the sprite.

    Raises:
        DataError: If the painting is missing or isn't an image.
    """
    painting = _painting(data_dir)
    height, width, _ = painting.shape

    def paint(images: Any, words: Any) -> Any:
        xp = images.__array_namespace__()
        uniforms = _uniform(words)
        top = (uniforms[:, 0] * (height - 64)).astype(np.int32)
        left = (uniforms[:, 1] * (width - 64)).astype(np.int32)
        pixels = np.arange(64, dtype=np.int32)
        rows = (top[:, None] + pixels[None])[:, :, None]
        columns = (left[:, None] + pixels[None])[:, None, :]
        patches = xp.asarray(painting)[rows, columns]
        background = (patches + uniforms[:, None, None, 2:]) / 2
        return xp.where(images > 0, 1 - background, background)

    identity = f"scream {hashlib.sha256(painting.tobytes()).hexdigest()}"
    return Appearance(identity, (5,), paint)


def _uniform(words: Any) -> Any:
    """Uniform float32 numbers in [0, 1) from the upper 24 of 32 random bits."""
    return (words >> np.uint32(8)).astype(np.float32) / 2**24


def _painting(data_dir: Path | None) -> np.ndarray:
    """The Scream within 350 x 274 pixels as in the paper, (274, W, 3) float32 in [0, 1]."""
    from PIL import Image, UnidentifiedImageError

    path = find(SCREAM, data_dir)
    if not path:
        raise DataError(f"scream_dsprites needs the painting. {where_to_put([SCREAM])}")
    try:
        with Image.open(path) as picture:
            # Differs from the original: a size of two numbers, since Pillow refuses its three.
            picture.thumbnail((350, 274))
            pixels = np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{path} is not a readable picture: {error}") from error
    if min(pixels.shape[:2]) <= 64:
        raise DataError(
            f"{path} is too small: {pixels.shape[1]} x {pixels.shape[0]} within 350 x 274"
        )
    return pixels.astype(np.float32) / np.float32(255)
