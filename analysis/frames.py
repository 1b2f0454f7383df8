"""The type of a table."""

from typing import TYPE_CHECKING, Any

# pandas annotates its methods for its own developers (`table[names]` is a table, a column or
# unknown), so a type checker that reads them finds faults in plain code: it sees Any instead.
if TYPE_CHECKING:

    class DataFrame(Any):
        """A table, as a type checker sees it."""
else:
    from pandas import DataFrame

__all__ = ["DataFrame"]
