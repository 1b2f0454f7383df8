"""pandas, as this folder's type checker sees it.

pandas annotates its methods for its own developers (``table[names]`` is a table, a column or
unknown), so a checker that reads them finds faults in plain code: it sees Any instead.
"""

from typing import TYPE_CHECKING, Any

import pandas

pd: Any = pandas

if TYPE_CHECKING:

    class DataFrame(Any):
        """A table."""
else:
    DataFrame = pandas.DataFrame

__all__ = ["DataFrame", "pd"]
