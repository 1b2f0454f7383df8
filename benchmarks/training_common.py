"""Shared parts of timing on a CPU and on an accelerator: models, a product's rate, tables."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from teasel.models import METHODS, Settings

RESULTS = Path(__file__).with_name("RESULTS.md")
SETTINGS = Settings()
STUDYS = ["beta_vae", "annealed_vae", "factor_vae", "beta_tc_vae", "dip_vae_i", "dip_vae_ii"]
"""The methods of the study."""

EXAMPLES = {name: method.example for name, method in METHODS.own.items() if method.example}


def product_rate(clock: Callable[[], float], size: int, dtype: str = "float32") -> float:
    """FLOP/s of a matrix product in the precision in force, best of ten."""
    matrix = jax.random.normal(jax.random.key(0), (size, size), dtype)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(matrix, matrix))
    best = np.inf
    for _ in range(10):
        start = clock()
        jax.block_until_ready(product(matrix, matrix))
        best = min(best, clock() - start)
    return 2 * size**3 / best


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def write_section(title: str, body: str) -> None:
    """Replaces one part of the results, or adds it; everything else stays as it is."""
    text = RESULTS.read_text() if RESULTS.exists() else "# Measured\n"
    section = f"## {title}\n\n{body.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.M | re.S)
    if pattern.search(text):
        text = pattern.sub(lambda _: section + "\n", text)
    else:
        text = text.rstrip() + "\n\n" + section
    RESULTS.write_text(text.rstrip() + "\n")
