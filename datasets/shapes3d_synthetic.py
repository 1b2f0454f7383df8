"""A stand-in for Shapes3D without a download: the same factors and a similar look, rendered here.

Its images are NOT those of Shapes3D, and scores on them must not be read as scores on Shapes3D.
"""

import colorsys
from collections.abc import Iterator
from itertools import product

import numpy as np

from .definition import Definition
from .shapes3d import GRID

_OVERSAMPLING = 4  # rays a pixel, along each side
_HALF_ROOM = 4.0  # from the middle to a wall
_EYE = np.array(
    [0.0, 1.9, 3.9]
)  # x right, y up, z towards the eye; the object stands in the middle
_LIGHT = np.array([1.6, 3.6, 2.0])
_NONE, _FLOOR, _WALL, _OBJECT = np.inf, 0, 1, 2


def render() -> Iterator[np.ndarray]:
    """All images in the grid's order, with every pose under one choice of hues per chunk."""
    poses = product(*(range(factor.size) for factor in GRID[3:]))
    yield from tint(np.stack([weights(*pose) for pose in poses]))


def tint(scenes: np.ndarray) -> Iterator[np.ndarray]:
    """Images (S, 64, 64, 3) of the scenes (S, 64, 64, 4) for every choice of the three hues.

    Hues only tint what the rays hit, so 480 scenes make all 480,000 images. Weights are multiples
    of 1/256 and hues multiples of 1/255, so sums of their products are exact in float32 in any
    order.
    """
    hues = np.array([colorsys.hsv_to_rgb(hue / 10, 0.9, 1.0) for hue in range(10)])
    palette = np.rint(255 * hues).astype(np.float32)
    white = np.full((1, 3), 255, np.float32)
    for chosen in product(range(10), repeat=3):
        levels = scenes.reshape(-1, 4) @ np.concatenate([palette[list(chosen)], white])
        yield ((levels + 128) // 256).astype(np.uint8).reshape(-1, 64, 64, 3)


def weights(scale: int, shape: int, orientation: int) -> np.ndarray:
    """The light from floor, wall, object and highlight at each pixel, (64, 64, 4) float32.

    Args:
        scale: 0 to 7, from .75 to 1.25 times the size.
        shape: 0 cube, 1 cylinder, 2 sphere, 3 capsule.
        orientation: 0 to 14, the room with its content turned by -30 to 30 degrees.
    """
    size = np.linspace(0.75, 1.25, 8)[scale]
    angle = np.radians(np.linspace(-30, 30, 15)[orientation])
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    eye, rays = _EYE @ turn, _view() @ turn

    distance, normal, material = _room(eye, rays)
    hit, hit_normal = _SHAPES[shape](eye, rays, size)
    nearer = hit < distance
    distance = np.where(nearer, hit, distance)
    normal = np.where(nearer[:, None], hit_normal, normal)
    material = np.where(nearer, _OBJECT, material)

    point = eye + distance[:, None] * rays + 1e-6 * normal
    to_light = _LIGHT - point
    reach = np.linalg.norm(to_light, axis=1)
    to_light /= reach[:, None]
    shadow = _SHAPES[shape](point, to_light, size)[0] < reach
    facing = np.where(shadow, 0, np.clip((normal * to_light).sum(axis=1), 0, None))
    halfway = to_light - rays
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    shine = np.clip((normal * halfway).sum(axis=1), 0, None) ** 60
    shine = np.where(shadow | (material != _OBJECT), 0, 0.35 * shine)

    shade = (1 - shine) * (0.45 + 0.55 * facing)
    light = np.stack([*(shade * (material == part) for part in (_FLOOR, _WALL, _OBJECT)), shine])
    side = 64 * _OVERSAMPLING
    pixels = light.reshape(4, 64, side // 64, 64, side // 64).mean(axis=(2, 4))
    return np.floor(256 * pixels).astype(np.float32).transpose(1, 2, 0)


def _view() -> np.ndarray:
    """Unit rays of all samples, (samples, 3), by row from the upper left."""
    side = 64 * _OVERSAMPLING
    across = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(0.5 * across, -0.5 * across)
    forward = np.array([0, 0.62, 0]) - _EYE
    forward /= np.linalg.norm(forward)
    right = np.array([1.0, 0, 0])
    up = np.cross(right, forward)
    rays = forward + x.reshape(-1, 1) * right + y.reshape(-1, 1) * up
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _room(eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance, normal and material of floor and walls, seen from inside."""
    with np.errstate(divide="ignore"):
        floor = np.where(rays[:, 1] < 0, -eye[1] / rays[:, 1], _NONE)
        walls = (np.sign(rays[:, ::2]) * _HALF_ROOM - eye[::2]) / rays[:, ::2]
    side = walls.argmin(axis=1)
    wall = walls.min(axis=1)
    inward = np.zeros_like(rays)
    inward[np.arange(len(rays)), 2 * side] = -np.sign(rays[np.arange(len(rays)), 2 * side])
    below = floor < wall
    normal = np.where(below[:, None], [0.0, 1.0, 0.0], inward)
    return np.minimum(floor, wall), normal, np.where(below, _FLOOR, _WALL)


Hit = tuple[np.ndarray, np.ndarray]  # distance (inf where missed) and unit normal


def _cube(eye: np.ndarray, rays: np.ndarray, size: float) -> Hit:
    half = 0.55 * size
    centre = np.array([0, half, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (centre - np.sign(rays) * half - eye) / rays
        last = (centre + np.sign(rays) * half - eye) / rays
    axis = first.argmax(axis=1)
    near, far = first.max(axis=1), last.min(axis=1)
    normal = np.zeros_like(rays)
    each = np.arange(len(rays))
    normal[each, axis] = -np.sign(rays[each, axis])
    return np.where((near < far) & (near > 0), near, _NONE), normal


def _sphere(eye: np.ndarray, rays: np.ndarray, size: float) -> Hit:
    return _ball(eye, rays, 0.7 * size, 0.7 * size)


def _ball(eye: np.ndarray, rays: np.ndarray, height: float, radius: float) -> Hit:
    offset = eye - np.array([0, height, 0])
    along = (offset * rays).sum(axis=1)
    inside = along**2 - (offset**2).sum(axis=-1) + radius**2
    near = -along - np.sqrt(np.clip(inside, 0, None))
    distance = np.where((inside > 0) & (near > 0), near, _NONE)
    return distance, (offset + np.where(inside > 0, near, 0)[:, None] * rays) / radius


def _tube(eye: np.ndarray, rays: np.ndarray, low: float, high: float, radius: float) -> Hit:
    """The round side of an upright cylinder."""
    flat_eye, flat_rays = eye[..., ::2], rays[:, ::2]
    squared = (flat_rays**2).sum(axis=1)
    along = (flat_eye * flat_rays).sum(axis=1)
    inside = along**2 - squared * ((flat_eye**2).sum(axis=-1) - radius**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = (-along - np.sqrt(np.clip(inside, 0, None))) / squared
        height = eye[..., 1] + near * rays[:, 1]
    hit = (inside > 0) & (near > 0) & (low <= height) & (height <= high)
    outward = (eye + np.where(hit, near, 0)[:, None] * rays) * np.array([1, 0, 1])
    return np.where(hit, near, _NONE), outward / radius


def _cylinder(eye: np.ndarray, rays: np.ndarray, size: float) -> Hit:
    radius, top = 0.5 * size, 1.2 * size
    side, normal = _tube(eye, rays, 0, top, radius)
    with np.errstate(divide="ignore"):
        lid = np.where(rays[:, 1] < 0, (top - eye[..., 1]) / rays[:, 1], _NONE)
    reached = eye + np.where(np.isfinite(lid), lid, 0)[:, None] * rays
    on_lid = (lid > 0) & ((reached[:, ::2] ** 2).sum(axis=1) < radius**2)
    lid = np.where(on_lid, lid, _NONE)
    above = (lid < side)[:, None]
    return np.minimum(lid, side), np.where(above, [0.0, 1.0, 0.0], normal)


def _capsule(eye: np.ndarray, rays: np.ndarray, size: float) -> Hit:
    radius, top = 0.42 * size, 1.5 * size
    parts = (
        _tube(eye, rays, radius, top - radius, radius),
        _ball(eye, rays, radius, radius),
        _ball(eye, rays, top - radius, radius),
    )
    distances = np.stack([distance for distance, _ in parts])
    first = distances.argmin(axis=0)
    normals = np.stack([normal for _, normal in parts])
    return distances.min(axis=0), normals[first, np.arange(len(rays))]


_SHAPES = (_cube, _cylinder, _sphere, _capsule)

SHAPES3D_SYNTHETIC = Definition(
    name="shapes3d_synthetic",
    label="Shapes3D (synthetic)",
    grid=GRID,
    row_shape=(64, 64, 3),
    render=render,
    source="drawn stand-in for Shapes3D",
)
