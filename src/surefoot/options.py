"""Options that are defined once: type, range, default and help text in one place.

Every configurable object of surefoot is an :class:`Options`: frozen, checked when constructed,
with messages that quote what was received. A :class:`Member` is an option with a name, one choice
for one slot (`logistic` for the slot *margin loss*).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, model_serializer
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from surefoot import plugins
from surefoot.boundary import limits
from surefoot.errors import ConfigurationError, SurefootError, unknown_name
from surefoot.escaping import excerpt
from surefoot.paths import READS as READS
from surefoot.paths import WRITES as WRITES
from surefoot.paths import Place


class Options(BaseModel):
    """A frozen set of options; raises :class:`ConfigurationError` when constructed wrongly."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    title: ClassVar[str] = ""

    def __init__(self, /, **values: Any) -> None:
        check_values(values)
        try:
            super().__init__(**values)
        except ValidationError as error:
            for detail in error.errors():  # a check of our own on the whole: as it was raised
                own = detail.get("ctx", {}).get("error")
                if not detail["loc"] and isinstance(own, SurefootError):
                    raise own from None
            raise ConfigurationError(_explain(type(self), error)) from None
        check_values(dict(self))  # 4294967296.0 is a whole number by now

    @classmethod
    def help(cls) -> dict[str, str]:
        """Help text of each option, by name."""
        return {name: field.description or "" for name, field in cls.model_fields.items()}

    @classmethod
    def label(cls) -> str:
        """What messages call this set of options."""
        return cls.title or cls.__name__

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """Sets of options that may stand in its place: an unknown option may be one of theirs."""
        return ()


def _explain(cls: type[Options], error: ValidationError) -> str:
    by_place: dict[tuple[Any, ...], list[ErrorDetails]] = {}
    for detail in error.errors():  # one for each kind of value that a union takes: one message
        loc = detail["loc"]
        place = loc[:1] if loc and _is_union(cls, loc[0]) else loc
        by_place.setdefault(place, []).append(detail)
    lines = [_explain_one(cls, *one) for one in itertools.islice(by_place.items(), _MOST)]
    more = [f"and {len(by_place) - _MOST} more."] if len(by_place) > _MOST else []
    return "\n".join([*lines, *more])


#: Faults of one set of options in one message, at most.
_MOST = 8


def _is_union(cls: type[Options], name: object) -> bool:
    """Whether an option takes several kinds of values, so that pydantic tells of each."""
    annotation = getattr(cls.model_fields.get(str(name)), "annotation", None)
    kinds = [one for one in get_args(annotation) if one is not NoneType]
    return get_origin(annotation) in (Union, UnionType) and len(kinds) > 1


def _explain_one(cls: type[Options], loc: tuple[Any, ...], details: Sequence[ErrorDetails]) -> str:
    place = ".".join(map(str, loc))
    detail = next((one for one in details if one["type"] == "value_error"), details[0])
    if detail["type"] == "extra_forbidden":
        others = [one.label() for one in cls.relatives() if place in one.model_fields]
        elsewhere = " and ".join(dict.fromkeys(others))
        return unknown_name(f"option of {cls.label()}", place, cls.model_fields, elsewhere)
    if detail["type"] == "missing":
        return f"{cls.label()} needs the option {place!r}: {cls.help().get(place, '')}".rstrip(": ")
    if detail["type"] == "value_error":  # raised by our own checks: already a full sentence
        return f"{place}: {detail['ctx']['error']}".removeprefix(": ")
    kinds = [
        ("a list, each item " if len(one["loc"]) > len(loc) + 1 else "") + _expected(one)
        for one in details
    ]
    expected = " or ".join(dict.fromkeys(kinds))
    return f"{place} of {cls.label()} should be {expected}; got {excerpt(detail['input'])}."


def _expected(detail: ErrorDetails) -> str:
    """What a value should have been, in plain words."""
    given = detail["input"]
    if detail["type"] in ("tuple_type", "list_type"):
        short = isinstance(given, str) and len(given) < _SHORT
        return f"a list, as in [{given}]" if short else "a list"
    if detail["type"] in ("dict_type", "model_type", "model_attributes_type"):
        return "options by name, as in {name: value}"
    if detail["type"] == "too_short":
        return f"a list of at least {detail['ctx']['min_length']}"
    words = detail["msg"].removeprefix("Input should ").removeprefix("be ")
    words = words if detail["type"] == "literal_error" else words.split(", ")[0]
    return _PLAIN.get(words, words)


#: Characters of a value up to which a message shows how to write it otherwise.
_SHORT = 80

_PLAIN = {
    "a valid string": "a text",
    "a valid number": "a number",
    "a valid integer": "a whole number",
    "a valid boolean": "true or false",
}


def check_values(entry: Any, place: str = "", depth: int = 0) -> None:
    """Refuse names that are no text, numbers and texts that are too long, and deep nesting.

    In options by name, as a user wrote them, or in a value inside, at this place.

    Raises:
        ConfigurationError: the message says where and why.
    """
    here = place or "an option"
    if depth > limits.DEPTH:
        raise ConfigurationError(f"{here}: {limits.TOO_DEEP}.")
    if isinstance(entry, str):
        _check_text(entry, here, "text", limits.OPTION_TEXT_LENGTH)
    elif isinstance(entry, int) and abs(entry) > limits.LARGEST_NUMBER:
        raise ConfigurationError(
            f"{here} is larger than any option takes ({limits.LARGEST_NUMBER:,}); got "
            f"{excerpt(entry, 30)}."
        )
    elif isinstance(entry, Mapping):
        for name, value in entry.items():
            if not isinstance(name, str):
                raise ConfigurationError(
                    f"{here}: the name of an option should be a text; got {excerpt(name, 60)}."
                )
            _check_text(name, here, "name", limits.NAME_LENGTH)
            check_values(value, f"{place}.{name}" if place else name, depth + 1)
    elif isinstance(entry, list | tuple | set | frozenset):
        for value in entry:
            check_values(value, place, depth + 1)


def _check_text(text: str, here: str, noun: str, most: int) -> None:
    if len(text) > most:
        raise ConfigurationError(f"{here}: a {noun} of {len(text):,} characters; at most {most:,}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{here}: text that is not valid Unicode.") from None
    if "\0" in text:
        raise ConfigurationError(f"{here}: a text with a null character in it.")


class Member(Options):
    """A named choice for one slot of the configuration.

    A base class opens a slot (``class Risk(Member, slot="risk")``); each subclass with a `kind`
    joins it (``class CVaR(Risk, kind="cvar")``). Written in a configuration either by its name
    alone or as a mapping with the key `kind` beside its options. A member of a user's own package
    is written with that package's name beside (:mod:`surefoot.plugins`).
    """

    slot: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Any]]] = {}
    remedy_for: ClassVar[frozenset[str]] = frozenset()
    """Threats that it answers beside what its properties say, as `docs/threats.md` calls them."""
    shown_at: ClassVar[Mapping[str, Any]] = {}
    """Options at which the documentation shows its numbers, where its defaults have none."""

    def __init_subclass__(cls, *, slot: str = "", kind: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if slot:
            cls.slot, cls.registry = slot, {}
        if kind:
            if kind in cls.registry:
                raise TypeError(f"two members of {cls.slot} are named {kind!r}")
            cls.kind = kind
            cls.registry[kind] = cls

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if cls.kind:
            return handler(source)
        # A field typed as the slot takes any of its members, and writes it with its own options.
        written = core_schema.plain_serializer_function_ser_schema(lambda one: one.model_dump())
        return core_schema.no_info_plain_validator_function(cls.parse, serialization=written)

    @classmethod
    def parse(cls, value: Any) -> Self:
        """Make a member from its name, from a mapping with `kind`, or return a member as it is."""
        if isinstance(value, cls):
            return value
        check_values(value, cls.slot)
        options = {"kind": value} if isinstance(value, str) else value
        if not isinstance(options, Mapping) or "kind" not in options:
            raise ConfigurationError(
                f"a {cls.slot} is a name or a mapping with the key 'kind'; got {excerpt(value)}. "
                f"Valid: {', '.join(sorted(cls.registry))}."
            )
        plugins.require(options)
        values = dict(options)
        kind, given = values.pop("kind"), values.pop("plugin", "")
        if isinstance(kind, str) and kind not in cls.registry:
            plugins.load_offered(kind)
        if not isinstance(kind, str) or kind not in cls.registry:
            known = unknown_name(cls.slot, kind, cls.registry)
            raise ConfigurationError(f"{known} One of a package of your own: --plugin MODULE.")
        plugin = plugins.plugin_of(cls.registry[kind])
        if given not in ("", plugin):
            raise ConfigurationError(
                f"{cls.slot} {kind!r} is of {plugin or 'surefoot itself'}; got the plugin "
                f"{excerpt(given)}."
            )
        member: Self = cls.registry[kind](**values)
        return member

    @classmethod
    def label(cls) -> str:
        """What messages call this member: its slot and its name."""
        return f"{cls.slot} {cls.kind!r}"

    @classmethod
    def relatives(cls) -> Iterable[type[Options]]:
        """The other members of its slot."""
        return cls.registry.values()

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: Any) -> dict[str, Any]:
        plugin = plugins.plugin_of(type(self))
        return {"kind": self.kind, **({"plugin": plugin} if plugin else {}), **handler(self)}


def places_of(options: Options) -> Iterator[str]:
    """What a configuration reads, by name: the values of options that are marked as such places.

    Those of options inside it are among them, however deep. Some are names on a hub.
    """
    for _, place in _read_by(options):
        yield place


def require_places(options: Options) -> None:
    """Refuse a configuration that reads what is meant as a path and leads nowhere.

    Raises:
        ConfigurationError: see :func:`surefoot.paths.require_there`.
    """
    for marker, place in _read_by(options):
        marker.require(place)


def _read_by(options: Options) -> Iterator[tuple[Place, str]]:
    for name, field in type(options).model_fields.items():
        markers = [one for one in field.metadata if isinstance(one, Place) and one.reads]
        value = getattr(options, name)
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, Options):
                yield from _read_by(one)
            elif isinstance(one, str):
                yield from ((marker, one) for marker in markers)
