"""Names to components: built-in ones by lazy ``module:attribute`` targets, others by entry points.

A plug-in is any installed package that declares an entry point in the group of the registry. A
dotted path ``package.module:Name`` works wherever a name does.
"""

from __future__ import annotations

import difflib
import inspect
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from a2bench.errors import A2BenchError, UnknownName, UsageError
from a2bench.parameters import typed

if TYPE_CHECKING:  # names are completed at every press of a key: this module loads in no time
    from a2bench.generator import Generator
    from a2bench.metric import Metric, Profile

T = TypeVar("T")
R = TypeVar("R")


class Registry(Generic[T]):
    """The components of one kind, by name."""

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str], *has: str) -> None:
        self.kind = kind
        self.group = group
        self._builtin = builtin
        self._has = has
        """What each component has: the first is read when it is made, to tell early what fails."""

    def targets(self) -> dict[str, str]:
        """Every name with its target; a built-in name is never shadowed by a plug-in."""
        plugins = {p.name: p.value for p in entry_points(group=self.group)}
        return dict(sorted({**plugins, **self._builtin}.items()))

    def load(self, name: str) -> Any:
        """The class or factory behind a name or dotted path.

        Raises ``UnknownName``, with the nearest names, or ``UsageError`` when it does not import.
        """
        target = name if ":" in name else self.targets().get(name)
        if target is None:
            raise unknown(self.kind, name, self.targets())
        module, _, attribute = target.partition(":")
        try:
            found: Any = import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except Exception as error:
            told = error if isinstance(error, ImportError | AttributeError) else told_at(error)
            raise UsageError(f"{self.kind} {name!r} ({target}) does not load: {told}") from error
        try:
            inspect.signature(found)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self.kind} {name!r} ({target}) cannot be made: {error}") from error
        return found

    def create(self, name: str, params: Mapping[str, Any] | None = None) -> T:
        """The component behind a name, built with explicit keyword parameters.

        Raises ``UsageError`` naming the parameters that it takes when they do not fit.
        """
        factory, params = self.load(name), params or {}
        signature = inspect.signature(factory)
        try:
            signature.bind(**params)
        except TypeError as error:
            takes = ", ".join(signature.parameters) or "none"
            raise UsageError(f"{self.kind} {name!r}: {error}; it takes: {takes}") from error
        try:
            component: T = factory(**params)
            lacks = [one for one in self._has if not hasattr(component, one)]
        except A2BenchError:
            raise
        except Exception as error:
            raise UsageError(f"{self.kind} {name!r} fails: {told_at(error)}") from error
        if lacks:
            what = f"{self.kind} {name!r} is no {self.kind}: it has no {' and no '.join(lacks)}"
            raise UsageError(f"{what} (CONTRIBUTING.md tells what a {self.kind} is)")
        return component

    def typed(self, name: str, texts: Mapping[str, str]) -> dict[str, Any]:
        """Typed texts as the parameters of a component, by its annotations.

        Raises as ``load`` does, and ``UsageError`` for a text that cannot be meant.
        """
        factory = self.load(name)
        try:
            return typed(factory, texts)
        except UsageError as error:
            raise UsageError(f"{self.kind} {name!r}: {error}") from error

    def usable(self, use: Callable[[Any], R]) -> dict[str, R]:
        """``use`` of every component that works; a broken one is named in a warning."""
        found: dict[str, R] = {}
        packages = {p.name: p.dist.name for p in entry_points(group=self.group) if p.dist}
        for name, target in self.targets().items():
            try:
                found[name] = use(self.load(name))
            except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
                package = packages.get(name, "a2bench")
                text = (
                    f"{self.kind} {name!r} of the package {package!r} ({target}) is broken: {error}"
                )
                warnings.warn(text, stacklevel=2)
        return found


GENERATORS: Registry[Generator] = Registry(
    "model",
    "a2bench.generators",
    {
        "alone": "a2bench.generators.controls:Alone",
        "blurred": "a2bench.generators.controls:Blurred",
        "centred": "a2bench.generators.controls:Centred",
        "collage": "a2bench.generators.collage:Collage",
        "command": "a2bench.generators.command:Command",
        "compressed": "a2bench.generators.controls:Compressed",
        "cut": "a2bench.generators.controls:Cut",
        "defocused": "a2bench.generators.controls:Defocused",
        "distant": "a2bench.generators.controls:Distant",
        "faded": "a2bench.generators.controls:Faded",
        "flickering": "a2bench.generators.controls:Flickering",
        "folder": "a2bench.generators.folder:Folder",
        "frozen": "a2bench.generators.controls:Frozen",
        "mistaken": "a2bench.generators.controls:Mistaken",
        "noise": "a2bench.generators.controls:Noise",
        "objectless": "a2bench.generators.controls:Objectless",
        "peopleless": "a2bench.generators.controls:Peopleless",
        "restaged": "a2bench.generators.controls:Restaged",
        "shuffled": "a2bench.generators.controls:Shuffled",
        "skyreels-a2": "a2bench.generators.skyreels_a2.generator:SkyReelsA2",
        "skyreels-a2-tiny": "a2bench.generators.skyreels_a2.tiny:SkyReelsA2Tiny",
        "still": "a2bench.generators.controls:Still",
        "stuttered": "a2bench.generators.controls:Stuttered",
        "swapped": "a2bench.generators.controls:Swapped",
    },
    *("info", "generate"),
)

PROFILES: Registry[Profile] = Registry(
    "profile",
    "a2bench.profiles",
    {"lite": "a2bench.metrics.profiles:lite", "paper": "a2bench.metrics.profiles:paper"},
    *("metrics", "all", "sets"),
)
"""Each target is a function that builds the profile; its metrics share their extractors."""

METRICS: Registry[Metric] = Registry(
    "metric", "a2bench.metrics", {}, *("info", "extractors", "score")
)
"""Metrics that plug-ins bring; a profile's own are known by the profile."""


def told_at(error: Exception) -> str:
    """A foreign error in one line: its type, its text and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def build_profile(name: str, device: str = "cpu") -> Profile:
    """A profile whose networks run on a device of torch: ``cpu``, ``cuda``, ``cuda:1``."""
    return PROFILES.create(name, {} if device == "cpu" else {"device": device})


def choose_metrics(profile: Profile, names: Sequence[str] = ()) -> tuple[Metric, ...]:
    """A profile's metrics, or those named: of the profile, its sets, plug-ins, or by dotted path.

    Raises ``UnknownName`` for a name that nobody has, ``UsageError`` for one that comes twice.
    """
    if not names:
        return profile.metrics
    own = profile.all
    chosen: dict[str, Metric] = {}
    for name in (one for given in names for one in profile.sets.get(given, (given,))):
        if name in own:
            chosen[name] = own[name]
            continue
        if ":" not in name and name not in METRICS.targets():
            known = [*own, *profile.sets, *METRICS.targets()]
            raise UnknownName(
                f"{unknown('metric', name, known)}; other profiles have other metrics: "
                f"{', '.join(PROFILES.targets())}"
            )
        metric = METRICS.create(name)
        if metric.info.name in chosen or metric.info.name in own:
            raise UsageError(f"metric {name!r} is called {metric.info.name!r}, and so is another")
        chosen[metric.info.name] = metric
    return tuple(chosen.values())


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for a name that nobody has, with the nearest that somebody has."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(names)}"
    return UnknownName(f"no {kind} named {name!r}; {hint}")
