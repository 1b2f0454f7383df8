"""Reads the imports between the rooms from the code, and draws a picture of them.

.venv/bin/python docs/render_house.py [--path docs/pictures/house.svg]

`tests/test_house.py` holds the rules of CONTRIBUTING.md with the same reading.
"""

import argparse
import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FLOORS = {
    "teasel": 0,
    "teasel.datasets": 1,
    "teasel.models": 1,
    "teasel.metrics": 1,
    "teasel.sweep.trials": 2,
    "teasel.sweep.store": 3,
    "teasel.sweep.grid": 4,
    "teasel.sweep.work": 4,
    "teasel.sweep.study": 5,
    "teasel.sweep.schedule": 6,
    "teasel.sweep.commands": 7,
    "teasel.sweep": 8,
    "teasel.analysis": 8,
    "teasel.analysis.statistics": 9,
    "teasel.analysis.paper": 10,
    "teasel.analysis.plots": 10,
    "teasel.analysis.report": 11,
    "teasel.cluster": 11,
    "teasel.testing": 12,
}
"""Every room, and how high it lies: a room imports what lies lower. CONTRIBUTING.md draws them."""

DOORS = {
    "teasel": {"catalogue", "errors", "lazy", "settings", "storage", "version", "words"},
    "teasel.sweep": set(),
    "teasel.analysis": {
        "choice",
        "factors",
        "formats",
        "latex",
        "names",
        "paper_grid",
        "summary",
        "tables",
        "top",
    },
}
"""The files of the rooms that have rooms inside; `__init__` is the face of what is inside."""

FOLDERS = sorted({room.split(".")[1] for room in FLOORS if "." in room})
COLORS = {
    "": "#444444",
    "datasets": "#2a7f62",
    "models": "#2a7f62",
    "metrics": "#2a7f62",
    "sweep": "#1f5fa8",
    "analysis": "#b3541e",
    "cluster": "#7a3b8f",
    "testing": "#888888",
}


class Import(NamedTuple):
    """An import statement of one of our files, that names a file of ours or another package."""

    module: str
    line: int
    late: bool


@cache
def modules() -> dict[str, Path]:
    """Every file of the package, by its dotted name."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    named = {}
    for path in sorted([*files, *ROOT.glob("*.py")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        named[".".join(["teasel", *parts]).removesuffix(".__init__")] = path
    return named


def room(module: str) -> str:
    """The room that a file lies in: its folder."""
    folder = modules()[module].parent.relative_to(ROOT)
    return ".".join(["teasel", *folder.parts])


def is_face(module: str) -> bool:
    """Whether the file is the `__init__` of a room that has rooms inside."""
    return module in DOORS


def floor(module: str) -> float:
    """The room's floor; a face lies above all rooms inside, and the command line above all."""
    if module == "teasel.__main__":
        return 100
    if is_face(module) and module != "teasel":
        inside = [height for name, height in FLOORS.items() if name.startswith(module)]
        return max(inside) + 0.5
    return FLOORS[room(module)]


@cache
def imports(module: str) -> list[Import]:
    """The imports of a file, late ones too; what stands below TYPE_CHECKING is none."""
    return sorted(_imports(ast.parse(modules()[module].read_text()), module, late=False))


def _imports(node: ast.AST, module: str, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from _imports(ast.Module([other], []), module, late)
            continue
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = _absolute(child, module)
            for alias in child.names:
                file = f"{base}.{alias.name}"
                yield Import(file if file in modules() else base, child.lineno, late)
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _imports(child, module, late or is_function)


def _absolute(node: ast.ImportFrom, module: str) -> str:
    """The dotted name behind `from`."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    if modules()[module].name == "__init__.py":
        parts.append("__init__")
    return ".".join([*parts[: -node.level], *([node.module] if node.module else [])])


def imports_of_ours(module: str) -> list[Import]:
    """The imports of a file that name another file of ours; a face's late ones are its names."""
    return [
        found
        for found in imports(module)
        if found.module in modules() and not (found.late and is_face(module))
    ]


def arrows() -> set[tuple[str, str]]:
    """From each room to those that it imports and that no other of them imports in turn."""
    used: dict[str, set[str]] = {name: set() for name in FLOORS}
    for module in modules():
        if module != "teasel.__main__":
            used[room(module)] |= {room(each.module) for each in imports_of_ours(module)}
    used["teasel.sweep"].add("teasel.sweep.commands")  # a face imports late what it names
    reached: dict[str, set[str]] = {}
    for name in sorted(FLOORS, key=FLOORS.__getitem__):
        reached[name] = used[name].union(*(reached[each] for each in used[name] - {name}))
    return {
        (name, each)
        for name in FLOORS
        for each in used[name] - {name}
        if not any(each in reached[other] for other in used[name] - {name, each})
    }


def describe() -> str:
    """The arrows in words, which the picture holds too."""
    return "; ".join(f"{start} uses {end}" for start, end in sorted(arrows()))


def save_picture(path: Path) -> None:
    """Writes a box for each room, the lowest floor below, with its arrows."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with pyplot.rc_context({"svg.hashsalt": "house"}):
        figure, axes = pyplot.subplots(figsize=(7, 8.5), layout="constrained")
        for start, end in sorted(arrows()):
            axes.annotate(
                "",
                xytext=(_column(start), FLOORS[start] - 0.3),
                xy=(_column(end), FLOORS[end] + 0.3),
                arrowprops={"arrowstyle": "-|>", "color": _color(start), "alpha": 0.7},
            )
        for name, height in FLOORS.items():
            label = name.removeprefix("teasel.").replace(".", "/")
            axes.text(
                _column(name),
                height,
                label,
                ha="center",
                va="center",
                fontsize=9,
                bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": _color(name)},
            )
        axes.set_xlim(-0.2, 3.4)
        axes.set_ylim(-0.5, max(FLOORS.values()) + 0.5)
        axes.set_axis_off()
        figure.savefig(path, metadata={"Date": None, "Description": describe()})
        pyplot.close(figure)


def _color(name: str) -> str:
    return COLORS[name.split(".")[1] if "." in name else ""]


def _column(name: str) -> float:
    """From left to right: sweep, the sciences below it, analysis, and what uses both."""
    columns = {
        "teasel": 1,
        "teasel.datasets": 0.2,
        "teasel.models": 1,
        "teasel.metrics": 1.8,
        "teasel.sweep.grid": 0.4,
        "teasel.sweep.work": 1.6,
        "teasel.analysis.plots": 2.9,
        "teasel.cluster": 1,
        "teasel.testing": 1.6,
    }
    return columns.get(name, 2.2 if name.startswith("teasel.analysis") else 1)


def main() -> None:
    """Writes the picture of docs/architecture.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", type=Path, default=Path("docs/pictures/house.svg"))
    save_picture(parser.parse_args().path)


if __name__ == "__main__":
    main()
