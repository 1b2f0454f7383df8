"""The error messages of the checks for plug-ins."""

from collections.abc import Sequence


def require(holds: bool, what: str) -> None:
    """Raises an AssertionError with the message unless the condition holds."""
    if not holds:
        raise AssertionError(what)


def require_pieces(name: str, missing: Sequence[str]) -> None:
    """Raises an AssertionError that names everything missing, if anything is."""
    require(not missing, f"{name} lacks:\n" + "\n".join(f"* {piece}" for piece in missing))
