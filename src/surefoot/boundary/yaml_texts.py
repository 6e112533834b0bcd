"""YAML from outside: configurations, with limits; what YAML would decide in silence is refused."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from surefoot.boundary import limits
from surefoot.errors import ConfigurationError
from surefoot.escaping import excerpt

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MERGED = "tag:yaml.org,2002:merge"


def yaml_file(path: str | Path, noun: str = "the configuration") -> Any:
    """The value in a YAML file.

    Raises:
        ConfigurationError: it cannot be read, or is refused as :func:`yaml_value` does.
    """
    place = Path(path)
    try:
        with place.open("rb") as stream:
            raw = stream.read(limits.CONFIGURATION_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(f"no configuration at {path}.") from None
    except IsADirectoryError:
        what = noun.removesuffix(" in")
        there = ", ".join(map(str, sorted(place.glob("*.y*ml"))[:5])) or "robust.yaml"
        raise ConfigurationError(
            f"{path} is a folder, not {what}: name a file, such as {there}."
        ) from None
    except (OSError, ValueError) as error:  # no file, no UTF-8, or a name with a null in it
        raise ConfigurationError(f"cannot read {noun} {path}: {error}.") from None
    if len(raw) > limits.CONFIGURATION_BYTES:
        most = limits.size(limits.CONFIGURATION_BYTES)
        raise ConfigurationError(
            f"{path} is larger than {most}, the most of a configuration. Is it one?"
        )
    return yaml_value(text, str(path))


def yaml_value(text: str, place: str) -> Any:
    """The value of a YAML text.

    Refused, beside what is no YAML: keys that are no text or stand twice, numbers of hundreds of
    digits, deep nesting, and aliases that repeat themselves or make millions of values of a few.
    `place` is where it stands, for messages.

    Raises:
        ConfigurationError: it cannot be read; the message says why, with the line.
    """
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{place} is not valid YAML: {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}, {error}") from None
    except (ValueError, OverflowError, TypeError, AttributeError, LookupError) as error:
        raise ConfigurationError(f"{place} holds a value that cannot be read: {error}.") from None
    finally:
        if loader is not None:
            loader.dispose()


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which stops while a text is read, not after."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0  # levels open now, and values so far
        self._sizes: dict[int, int] = {}  # values that a node is, those of its aliases included

    def compose_node(self, parent: Any, index: Any) -> yaml.Node:
        self._depth += 1
        if self._depth > limits.DEPTH:
            raise ConfigurationError(f"line {self.line + 1}: {limits.TOO_DEEP}.")
        alias, before = self.check_event(yaml.AliasEvent), self._values
        node = super().compose_node(parent, index)
        self._depth -= 1
        assert node is not None
        if alias and id(node) not in self._sizes:
            raise _refused(node, "an alias repeats what it is part of")
        self._values += self._sizes[id(node)] if alias else 1
        if self._values > limits.CONFIGURATION_VALUES:
            raise _refused(node, f"it holds more than {limits.CONFIGURATION_VALUES:,} values")
        if alias:
            return node
        self._sizes[id(node)] = self._values - before
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        elif isinstance(node, yaml.ScalarNode):
            if _SURROGATE.search(node.value):
                node.value = _joined(node)
            if len(node.value) > limits.NUMBER_LENGTH and node.tag in _NUMBERS:
                raise _refused(node, f"a number of {len(node.value)} characters")
        return node


def _joined(node: yaml.ScalarNode) -> str:
    """A text whose characters JSON writes as pairs of surrogates, which YAML does not know."""
    try:
        return str(node.value.encode("utf-16-le", "surrogatepass").decode("utf-16-le"))
    except UnicodeDecodeError:
        raise _refused(node, "text that is not valid Unicode: half of a surrogate pair") from None


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[Hashable] = set()
    for key, _ in node.value:
        if key.tag == _MERGED:
            continue
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise _refused(
                key, f"the name of an option should be a text; got {shown}. Put it in quotes"
            )
        if len(key.value) > limits.NAME_LENGTH:
            raise _refused(
                key, f"a name of {len(key.value)} characters; at most {limits.NAME_LENGTH}"
            )
        if key.value in seen:
            raise _refused(key, f"{excerpt(key.value)} stands twice; give it once")
        seen.add(key.value)


def _refused(node: yaml.Node, reason: str) -> ConfigurationError:
    return ConfigurationError(f"line {node.start_mark.line + 1}: {reason}.")
