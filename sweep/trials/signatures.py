"""What a catalogue entry's signature says: its arguments, their types, bounds and defaults."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import Field

_LARGEST = 3.4e38  # of float32, in which everything is computed


def arguments(
    function: Callable[..., Any], keyword_only: bool = False
) -> dict[str, tuple[Any, Any]]:
    """The arguments of `function` as pydantic fields: name -> (annotation, default or ...).

    The catalogues state bounds as annotations with any of `ge`, `gt`, `le` and `lt`.

    Args:
        function: A method's factory, or a metric.
        keyword_only: Only the arguments behind the star.
    """
    hints = get_type_hints(function, include_extras=True)
    return {
        name: (
            _with_bounds(hints[name]),
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if not keyword_only or parameter.kind is parameter.KEYWORD_ONLY
    }


def _with_bounds(annotation: Any) -> Any:
    kind, notes = annotation, ()
    if get_origin(annotation) is Annotated:
        kind, *notes = get_args(annotation)
    limits: dict[str, Any] = {
        name: limit
        for note in notes
        for name in ("ge", "gt", "le", "lt")
        if (limit := getattr(note, name, None)) is not None
    }
    if get_origin(kind) is tuple:
        limits["strict"] = False  # YAML has lists only
    if kind is float:
        limits = {"ge": -_LARGEST, "le": _LARGEST, "allow_inf_nan": False} | limits
    return Annotated[kind, Field(**limits)] if limits else kind
