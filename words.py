"""Words for people: the names and the numbers of things."""


def readable(name: str) -> str:
    """The label of what has no label of its own."""
    return name.replace("_", " ")


def format_count(count: int, word: str) -> str:
    """So many of something.

    >>> format_count(1, "seed"), format_count(1800, "model")
    ('1 seed', '1,800 models')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"
