"""Parameters as they were typed, turned into what a component takes, by its annotations."""

from __future__ import annotations

import inspect
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace, UnionType
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from a2bench.errors import UsageError
from a2bench.keys import json_fault

NAMES = ("name", "revision")
"""Parameters that are text unless they say otherwise."""
_TEXT = (str, os.PathLike)
_WORDS = ("str", "Path", "Optional[str]", "Optional[Path]")
_SCALARS = (bool, int, float, type(None))


def typed(factory: Callable[..., Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Typed texts as the parameters of a class or function.

    - annotated as ``str`` or a path: the text as it was typed, so ``1.10`` stays ``1.10``;
    - as text or something else (``str | list[str]``): JSON of that something else, or the text;
    - as ``int``, ``float`` or ``bool``: a JSON value of that kind;
    - as anything else: JSON, or the text where it is none;
    - not at all: JSON if it is that and finite, or the text; ``name`` and ``revision`` are text.

    Raises ``UsageError`` with the parameter's name for a number that is not finite, and for what
    is no value of the kind.
    """
    parameters = inspect.signature(factory).parameters
    rest = [p.annotation for p in parameters.values() if p.kind is p.VAR_KEYWORD]
    spaces = _namespaces(factory)
    found = {}
    for name, text in texts.items():
        given = (
            parameters[name].annotation
            if name in parameters
            else (*rest, inspect.Parameter.empty)[0]
        )
        found[name] = _value(name, text, _kinds(_evaluated(given, spaces)))
    return found


def above_zero(component: object, *names: str) -> None:
    """Raises ``UsageError`` for a parameter that is no finite number above 0."""
    for name in names:
        value = getattr(component, name)
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} is {value:g}: give a number above 0")


def within(component: object, name: str, least: float, most: float) -> None:
    """Raises ``UsageError`` for a parameter that is outside its bounds."""
    value = getattr(component, name)
    if not least <= value <= most:
        raise UsageError(f"{name} is {value:g}: give a number from {least:g} to {most:g}")


def _value(name: str, text: str, kinds: frozenset[Any]) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    is_json, is_finite = value is not text, not json_fault(value)
    others = {kind for kind in kinds if not _is(kind, _TEXT)}
    if others != kinds:
        fits = is_json and is_finite and not isinstance(value, str)
        return value if fits and any(_fits(value, kind) for kind in others) else text
    if Any in kinds:
        return text if name in NAMES or not is_finite else value
    if not is_finite:
        raise UsageError(f"{name} is {text!r}, which is no finite number")
    if all(kind in _SCALARS for kind in kinds) and not any(_fits(value, kind) for kind in kinds):
        which = " or ".join(sorted("null" if k is type(None) else k.__name__ for k in kinds))
        raise UsageError(f"{name} is {text!r}, but it takes {which}")
    return value


def _fits(value: object, kind: Any) -> bool:
    """Whether a JSON value may be of a kind: a whole number is a float too, true is no number."""
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind) if isinstance(kind, type) else False


def _kinds(annotation: Any) -> frozenset[Any]:
    """The classes that an annotation names; ``Any`` where it does not tell."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return frozenset(kind for part in get_args(annotation) for kind in _kinds(part))
    if origin is Literal:
        return frozenset(type(value) for value in get_args(annotation))
    if isinstance(annotation, NewType):
        return _kinds(annotation.__supertype__)
    if annotation is None:
        return frozenset({type(None)})
    kind = origin or annotation
    is_told = isinstance(kind, type) and kind not in (object, inspect.Parameter.empty)
    return frozenset({Any if isinstance(kind, TypeVar) or not is_told else kind})


def _is(kind: Any, classes: tuple[type, ...]) -> bool:
    return isinstance(kind, type) and issubclass(kind, classes)


def _evaluated(annotation: Any, spaces: Iterable[dict[str, Any]]) -> Any:
    """An annotation that is written as text, looked up where the factory was defined.

    One that names what is imported for type checkers only is read by its words.
    """
    if not isinstance(annotation, str):
        return annotation
    for space in spaces:
        holder = SimpleNamespace(__annotations__={"it": annotation})
        try:
            return get_type_hints(holder, globalns=space)["it"]
        except Exception:  # noqa: BLE001, S112 - an annotation may raise anything, and others follow
            continue
    is_text = any(part.strip() in _WORDS for part in annotation.split("|"))
    return str if is_text else Any


def _namespaces(factory: Callable[..., Any]) -> list[dict[str, Any]]:
    """Where the names of its annotations may be defined: its module, and those of its bases."""
    owners = factory.__mro__ if isinstance(factory, type) else (inspect.unwrap(factory),)
    modules = dict.fromkeys(getattr(owner, "__module__", None) for owner in owners)
    return [vars(sys.modules[name]) for name in modules if name in sys.modules]
