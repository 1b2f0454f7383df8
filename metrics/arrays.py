"""Checks of a metric's input arrays."""

import numpy as np

from .undefined import UndefinedScoreError


def check_codes(codes: np.ndarray) -> np.ndarray:
    """The codes (N, D) as float64, so that scores do not depend on their precision.

    Raises:
        ValueError: If they are not two-dimensional, empty, or not real numbers.
        UndefinedScoreError: If they are not all finite as float32.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(f"codes must be (N, D) with N, D >= 1, got shape {codes.shape}")
    if codes.dtype.kind not in "fiub":
        raise ValueError(f"codes must be real numbers, got {codes.dtype}")
    # Solvers go round for ever on numbers whose squares overflow; networks give none above float32.
    with np.errstate(over="ignore"):
        finite = np.isfinite(codes.astype(np.float32, copy=False)).all(axis=0)
    if not finite.all():
        bad = np.flatnonzero(~finite).tolist()
        raise UndefinedScoreError(
            f"codes must be finite, as float32 too; in latents {bad} they are not"
        )
    return codes.astype(np.float64, copy=False)


def check_factors(factors: np.ndarray, continuous: bool = False) -> np.ndarray:
    """The factors as an int64 array (N, K).

    Args:
        factors: (N, K).
        continuous: Whether non-integer values are allowed; the array is float64 if there are any.

    Raises:
        ValueError: If they are not two-dimensional, empty, not finite, or not all whole numbers.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or 0 in factors.shape:
        raise ValueError(f"factors must be (N, K) with N, K >= 1, got shape {factors.shape}")
    if factors.dtype.kind in "iub":
        return factors.astype(np.int64)
    if factors.dtype.kind != "f":
        raise ValueError(f"factors must be numbers, got {factors.dtype}")
    if not np.isfinite(factors).all():
        raise ValueError(f"factors must be finite, got {factors[~np.isfinite(factors)][0]}")
    fractions = are_continuous(factors)
    if not fractions.any():
        return factors.astype(np.int64)
    if continuous:
        with np.errstate(over="ignore"):
            finite = np.isfinite(factors.astype(np.float32)).all()
        if not finite:
            raise ValueError("continuous factors must be finite as float32 too")
        return factors.astype(np.float64)
    number = next(value for value in factors[:, fractions].flat if not _is_whole(value))
    raise ValueError(
        f"factors must be integers, got {number}: this score treats each value as a class; those "
        'of METRICS whose needs are "factors" take continuous factors'
    )


def are_continuous(*tables: np.ndarray) -> np.ndarray:
    """Which of the factors (K,) have non-integer values in any of the tables (N, K)."""
    return np.any([~_is_whole(table).all(axis=0) for table in tables], axis=0)


def _is_whole(numbers: np.ndarray) -> np.ndarray:
    return (np.mod(numbers, 1) == 0) & (np.abs(numbers) < 2**53)


def check_varied(metric: str, varied: np.ndarray | int) -> None:
    """Makes sure that a factor takes two values: one of these is not 0.

    Raises:
        UndefinedScoreError: If none does.
    """
    if not np.any(varied):
        raise UndefinedScoreError(
            f"{metric} needs a factor with two values, got one value of each factor"
        )


def check_points(
    codes: np.ndarray, factors: np.ndarray, continuous: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Codes (N, D) and factors (N, K) of the same N points.

    Raises:
        ValueError: As `check_codes` and `check_factors`, or if the two N differ.
    """
    codes, factors = check_codes(codes), check_factors(factors, continuous)
    if len(codes) != len(factors):
        raise ValueError(f"got {len(codes)} codes and {len(factors)} factors: expected as many")
    return codes, factors


def check_split(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    continuous: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test points of the same latents and factors.

    Raises:
        ValueError: As `check_points`, or if the two D or the two K differ.
    """
    train_codes, train_factors = check_points(train_codes, train_factors, continuous)
    test_codes, test_factors = check_points(test_codes, test_factors, continuous)
    for what, train, test in (
        ("latents", train_codes, test_codes),
        ("factors", train_factors, test_factors),
    ):
        if train.shape[1] != test.shape[1]:
            raise ValueError(
                f"got {train.shape[1]} {what} in training and {test.shape[1]} in testing: "
                "expected as many"
            )
    return train_codes, train_factors, test_codes, test_factors
