"""Guidance of two conditions: the picture first, then the text."""

from __future__ import annotations

from torch import Tensor


def guided(
    neither: Tensor, image: Tensor, both: Tensor, *, by_image: float, by_text: float
) -> Tensor:
    """``u + g_i (i - u) + g_t (c - i)``, all of one shape.

    ``neither`` is the answer without the picture to the negative text, ``image`` that with the
    picture to the negative text, ``both`` that with the picture to the text. Where the picture
    changes nothing it is ordinary guidance by the text. Source: the published code of Lynx and of
    Phantom.
    """
    return neither + by_image * (image - neither) + by_text * (both - image)
