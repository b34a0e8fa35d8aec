"""Faces of a picture with their embeddings, whatever networks find and embed them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import ClassVar, NamedTuple

from a2bench.boxes import Box, area
from a2bench.faces.models import Embedding
from a2bench.networks.component import LoadsAnew
from a2bench.networks.files import Weights, lacking
from a2bench.pictures import Frame, over_white, read_rgba
from a2bench.types import Element, Json


class Found(NamedTuple):
    """A face of a picture, with its embedding where one was asked for."""

    box: Box
    score: float
    embedding: Embedding | None


class FaceFinder(LoadsAnew, ABC):
    """A frozen dataclass that says how faces are found in a picture, and how alike two are.

    ``name``, ``version``, ``params`` and the files' hashes are all that its answers depend on.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"

    @property
    @abstractmethod
    def params(self) -> Mapping[str, Json]: ...

    @property
    @abstractmethod
    def files(self) -> tuple[Weights, ...]:
        """Where its weights come from."""

    def missing(self) -> tuple[str, ...]:
        """What is not here or not whole, each with what to type."""
        return lacking(*self.files)

    @abstractmethod
    def find(self, image: Frame, *, embed: bool, least: int = 1) -> list[Found]:
        """The faces of an image, the surest first.

        A finder may look again, closer, where it finds fewer than ``least``.
        """

    @property
    @abstractmethod
    def stranger(self) -> float:
        """The similarity up to which two faces are taken for two people's; below 1.

        It belongs to what ``similarity`` means, so ``version`` rises with it.
        """

    @abstractmethod
    def similarity(self, one: Embedding, other: Embedding) -> float:
        """How alike two faces are, higher for more alike."""

    def find_in_reference(self, image: Frame) -> list[Found]:
        """The faces of a reference image, embedded."""
        return self.find(image, embed=True)

    def compare(self, one: Element, other: Element) -> float | None:
        """The similarity of the largest faces of two references; None where one has none."""
        a, b = self.reference(one), self.reference(other)
        return None if a is None or b is None else self.similarity(a, b)

    @cached_property
    def reference(self) -> Callable[[Element], Embedding | None]:
        """The embedding of a reference's largest face, if it has one; each is computed once."""
        return lru_cache(maxsize=256)(self._reference)

    def _reference(self, element: Element) -> Embedding | None:
        found = self.find_in_reference(over_white(read_rgba(element)))
        return max(found, key=lambda face: area(face.box)).embedding if found else None
