"""How the checks of a plug-in say what is wrong."""

from collections.abc import Sequence


def require(holds: bool, what: str) -> None:
    """Raises an AssertionError that says what is wrong, unless it holds."""
    if not holds:
        raise AssertionError(what)


def require_pieces(name: str, missing: Sequence[str]) -> None:
    """Raises an AssertionError that names all that is missing, if anything is."""
    require(not missing, f"{name} lacks:\n" + "\n".join(f"* {piece}" for piece in missing))
