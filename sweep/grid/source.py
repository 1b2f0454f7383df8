"""YAML that records the position of each value, so that faults can be located."""

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml

from ...errors import ConfigError

KeyPath = tuple[str | int, ...]

MOST_CHARACTERS = MOST_VALUES = 100_000
"""Of a file; the values when aliases are filled in."""

MOST_FAULTS = 100
"""That are listed."""


class Position(NamedTuple):
    """Line and column, counted from 1."""

    line: int
    column: int


class Fault(NamedTuple):
    """One fault of a file: its path and a description; `at_key` if the key itself is wrong."""

    path: KeyPath
    what: str
    at_key: bool = False


class Source(NamedTuple):
    """A parsed YAML file: its plain values, and the position of every key and value.

    A source made from a dict has no positions, so its faults are located by their path of keys.
    `changes` has the changes made by `change`, by path; faults there are located by the change.
    """

    name: str
    text: str
    value: Any
    keys: dict[KeyPath, Position]
    values: dict[KeyPath, Position]
    changes: Mapping[KeyPath, str] = {}

    def error(self, faults: list[Fault]) -> ConfigError:
        """The faults, in the order of the file, as ``file:line:column: what``."""
        faults = [fault._replace(path=self._given(fault.path)) for fault in faults]
        changed = [(change, f) for f in faults if (change := self._change_at(f.path))]
        lines = [f"{change}: {fault.what}" for change, fault in changed]
        faults = [fault for fault in faults if not self._change_at(fault.path)]
        if self.values:
            placed = sorted((self._position(fault), fault.what) for fault in faults)
            lines += [f"{self.name}:{at.line}:{at.column}: {what}" for at, what in placed]
        else:
            lines += [f"{self.name}: {_say(fault)}" for fault in faults]
        if len(lines) > MOST_FAULTS:
            lines[MOST_FAULTS:] = [f"{self.name}: and more"]
        return ConfigError("\n".join(lines))

    def _change_at(self, path: KeyPath) -> str:
        """The change that set the value at a path; empty if none has."""
        above = (path[:length] for length in range(len(path), 0, -1))
        return next((self.changes[each] for each in above if each in self.changes), "")

    def _given(self, path: KeyPath) -> KeyPath:
        """The path as in the file: a scalar that stands for a list has no list index."""
        value: Any = self.value
        found = list(path)
        for number, part in enumerate(path):
            if isinstance(part, int) and not isinstance(value, list):
                del found[number - len(path)]
                continue
            try:
                value = cast(Any, value)[part]
            except (LookupError, TypeError):
                break
        return tuple(found)

    def _position(self, fault: Fault) -> Position:
        if fault.at_key and fault.path in self.keys:
            return self.keys[fault.path]
        path = fault.path
        while path not in self.values:
            path = path[:-1]
        return self.values[path]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that 1e-4 is a number and only true and false are booleans.

    Attributes:
        num_values: The number of values made so far, with those of an alias at each use.
    """

    num_values = 0


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:float", "tag:yaml.org,2002:bool")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false|True|False)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
        r"|[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(text: str, name: str) -> Source:
    """Parses `text`; `name` is the file's name in messages.

    Raises:
        ConfigError: If it is not YAML, is empty or too large, or repeats a key of a mapping.
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{name}:1:1: the file has more than {MOST_CHARACTERS:,} characters")
    source = Source(name, text, None, {}, {})
    faults: list[Fault] = []
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise ConfigError(f"{name}:1:1: the file is empty")
        value = _construct(loader, root, (), source, faults)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise ConfigError(f"{name}:{where}: not YAML: {error.problem or error.context}") from error
    except RecursionError:
        what = "nested too deeply, or an alias is inside its own anchor"
        raise ConfigError(f"{name}:1:1: not YAML: {what}") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        what = f"character {error.character!r}: {error.reason}"
        raise ConfigError(f"{name}:{where}: not YAML: {what}") from error
    if faults:
        raise source.error(faults)
    return source._replace(value=value)


def _construct(
    loader: _Loader, node: yaml.Node, path: KeyPath, source: Source, faults: list[Fault]
) -> Any:
    """The plain value of `node`; notes its position, and duplicate keys as faults."""
    source.values[path] = _position(node)
    loader.num_values += 1  # also of what is merged into one place again and again
    if loader.num_values > MOST_VALUES:
        what = f"more than {MOST_VALUES:,} values after expanding aliases"
        raise yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(loader, item, (*path, index), source, faults)
            for index, item in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        try:
            value = loader.construct_object(node, deep=True)
            if isinstance(value, int):
                float(value)  # raises if nothing could show it, or compute with it
            return value
        except (ValueError, ArithmeticError, LookupError, AttributeError) as error:
            faults.append(Fault(path, f"not YAML: no {node.tag.rpartition(':')[2]}: {error}"))
            return None
    merged = _merge(loader, node, path, source, faults)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        inner = (*path, key)
        if key_node.tag == _MERGE or (not path and key.startswith("x-")):
            continue  # a key that begins with x- is a place for anchors
        if key in mapping:
            first = source.keys[inner].line
            again = (*inner, "again")
            source.keys[again] = _position(key_node)
            what = f"duplicate key '{key}', first on line {first}"
            faults.append(Fault(again, what, at_key=True))
            continue
        source.keys[inner] = _position(key_node)
        mapping[key] = _construct(loader, value_node, inner, source, faults)
    return merged | mapping


def _merge(
    loader: _Loader, node: yaml.MappingNode, path: KeyPath, source: Source, faults: list[Fault]
) -> dict[str, Any]:
    """The entries merged in by the keys `<<` of a mapping; the first of several mappings wins."""
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag != _MERGE:
            continue
        several = isinstance(value_node, yaml.SequenceNode)
        for other in reversed(value_node.value if several else [value_node]):
            if isinstance(other, yaml.MappingNode):
                merged |= _construct(loader, other, path, source, faults)
            else:
                at = (*path, "<<")
                source.keys[at] = _position(key_node)
                what = "not YAML: expected a mapping or a list of mappings after '<<'"
                faults.append(Fault(at, what, at_key=True))
    source.values[path] = _position(node)
    return merged


def _say(fault: Fault) -> str:
    """The description of a fault, with its path of keys.

    >>> _say(Fault(("datasets", 0, "npz"), "datasets.npz: expected a text, got 1"))
    'datasets[0].npz: expected a text, got 1'
    """
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.path]
    keys = ".".join(part for part in fault.path if isinstance(part, str))
    where = "".join(words).removeprefix(".")
    return (f"{where}: " if where else "") + fault.what.removeprefix(f"{keys}: ")


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


class _Dumper(yaml.SafeDumper):
    """A dumper whose output `_Loader` reads back unchanged."""


_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
_Dumper.ignore_aliases = lambda self, data: True


def read_dict(given: Mapping[Any, Any], name: str) -> Source:
    """The source from a dict of values that YAML can express, or NumPy numbers, tuples and paths.

    Raises:
        ConfigError: If it holds anything else.
    """
    faults: list[Fault] = []
    try:
        value = _plain(given, (), faults)
    except RecursionError:
        raise ConfigError(f"{name}: it is nested too deeply, or contains itself") from None
    source = Source(name, "", value, {}, {})
    if faults:
        raise source.error(faults)
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return source._replace(text=text)


def change(source: Source, changes: Sequence[str]) -> Source:
    """The source with changed values; its text is rewritten without comments and anchors.

    Args:
        source: A grid.
        changes: Changes, each like ``training.steps=1000``: a path of keys and list indices, and a
            value in YAML. Missing mappings are created.

    Raises:
        ConfigError: If a change is malformed or its path does not exist.
    """
    if not changes:
        return source
    value, made = copy.deepcopy(source.value), dict(source.changes)
    for text in changes:
        name = f"--set {text}"
        keys, _, written = text.partition("=")
        *above, last = keys.split(".")
        if not all((*above, last)) or not written.strip():
            raise ConfigError(f"{name}: expected KEY=VALUE, such as 'training.steps=1000'")
        path: KeyPath = ()
        place: Any = value
        for key in above:
            step = _step(place, key, path, name)
            path = (*path, step)
            if isinstance(place, dict) and place.get(step) is None:
                place[step], made[path] = {}, name
            place = place[step]
        step = _step(place, last, path, name)
        place[step], made[*path, step] = read_yaml(written, name).value, name
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return source._replace(text=text, value=value, changes=made)


def _step(place: Any, key: str, path: KeyPath, name: str) -> str | int:
    """A step of a path: a key of a mapping, or an index within the length of a list."""
    if isinstance(place, dict):
        return key
    if isinstance(place, list) and key.isdecimal() and int(key) < len(place):
        return int(key)
    found = f"a list of {len(place)}" if isinstance(place, list) else f"{place!r}"
    where = ".".join(map(str, path)) or "the file"
    raise ConfigError(f"{name}: {where} is {found}: expected a mapping, or an index into a list")


def _plain(given: Any, path: KeyPath, faults: list[Fault]) -> Any:
    """The value as YAML would give it; records a fault if YAML cannot express it."""
    if isinstance(given, Mapping):
        return {str(key): _plain(item, (*path, str(key)), faults) for key, item in given.items()}
    if hasattr(given, "tolist"):  # an array, or a number of NumPy's
        given = given.tolist()
    if isinstance(given, list | tuple | range):
        return [_plain(item, (*path, place), faults) for place, item in enumerate(given)]
    if isinstance(given, Path):
        return str(given)
    if given is None or isinstance(given, str | int | float | bool):
        return given
    faults.append(Fault(path, f"expected a value that YAML can express, got {given!r}"))
    return None


def read_yaml_file(path: str | Path) -> Source:
    """Parses the file at `path`.

    Raises:
        ConfigError: If the file cannot be read, or is not valid (see `read_yaml`).
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the file: {error}") from error
    return read_yaml(text, str(path))
