"""Cuts the subject of a reference image out of its background, without a network.

An image that has transparency keeps it. Otherwise GrabCut (Rother, Kolmogorov, Blake 2004) finds
the outline, seeded by the border's colour where the background is plain (studio, white page) and
by position and colour where it is not. Near the outline, alpha and the subject's own colour follow
from the compositing equation ``I = a F + (1 - a) B`` with F and B carried over from sure pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from a2bench.pictures import Floats, Mask, Rgba, bounds, upright
from a2bench.types import Element

Bytes = NDArray[np.uint8]

LONG_SIDE_PX = 768
OUTLINE_SIDE_PX = 256
PLAIN_DISTANCE = 14.0
"""RGB distance to the fitted border colour up to which a pixel looks like a plain background."""
VISIBLE = 12
SUBJECT = (cv2.GC_FGD, cv2.GC_PR_FGD)


def cut_out(element: Element) -> Rgba:
    """The subject of a reference image as straight RGBA, cropped to what is visible.

    The long side is at most 768 px. An image in which nothing stands out is given back whole.
    """
    rgba = np.asarray(upright(element.image, "RGBA", LONG_SIDE_PX))
    if np.mean(rgba[..., 3] < 128) < 0.01:
        rgba = _matte(np.ascontiguousarray(rgba[..., :3]), person=element.role == "character")
    if not (rgba[..., 3] > VISIBLE).any():
        return np.asarray(upright(element.image, "RGB", LONG_SIDE_PX).convert("RGBA"))
    rgba = _cropped(rgba)
    return _upper_body(rgba) if element.role == "character" else rgba


def _cropped(rgba: Rgba) -> Rgba:
    return rgba[bounds(rgba[..., 3] > VISIBLE)]


def _upper_body(rgba: Rgba) -> Rgba:
    """A tall figure down to the hips, so that its face can be shown at a useful size."""
    height, width = rgba.shape[:2]
    if height <= 1.5 * width:
        return rgba
    above_floor = _cropped(rgba[: height * 3 // 4])  # the floor of a studio is often kept as well
    return _cropped(rgba[: round(1.3 * above_floor.shape[1])])


def _matte(rgb: Bytes, *, person: bool) -> Rgba:
    height, width = rgb.shape[:2]
    scale = OUTLINE_SIDE_PX / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    outline = _outline(small, person=person)
    if outline.all():
        return np.dstack([rgb, np.full((height, width), 255, np.uint8)])
    soft = cv2.resize(outline.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    alpha, colour = _refine(rgb.astype(np.float32), cv2.GaussianBlur(soft, (0, 0), 1.0))
    alpha *= _rounded_where_cut_off(soft > 0.5)
    return np.dstack([np.clip(colour, 0, 255), alpha * 255]).round().astype(np.uint8)


def _outline(rgb: Bytes, *, person: bool) -> Mask:
    """The subject's pixels; all of them where nothing stands out."""
    cv2.setRNGSeed(0)  # GrabCut draws from OpenCV's global generator: the same image, the same cut
    seeds = _seeds_by_border(rgb)
    if seeds is None:
        seeds = _seeds_by_place(rgb, _likely_place(*rgb.shape[:2], person=person))
    if np.isin(seeds, SUBJECT).all() or not np.isin(seeds, SUBJECT).any():
        return np.ones(rgb.shape[:2], np.bool_)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(rgb, seeds, None, models[0], models[1], 4, cv2.GC_INIT_WITH_MASK)
    page = np.median(rgb[: max(1, len(rgb) // 40)]) > 240
    return _tidy(np.isin(seeds, SUBJECT), hole_share=1.0 if page else 0.0005)


def _seeds_by_border(rgb: Bytes) -> Bytes | None:
    """GrabCut labels from a quadratic colour field fitted to the border; None if not plain.

    The lower border is left out: there a portrait meets it.
    """
    height, width = rgb.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y / height - 0.5, x / width - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    edge = max(2, width // 40)
    border = np.zeros((height, width), np.bool_)
    border[:edge] = border[: height * 6 // 10, :edge] = border[: height * 6 // 10, -edge:] = True
    colours = rgb.astype(np.float32)
    plain = border & (np.abs(colours - np.median(colours[border], axis=0)).sum(axis=-1) < 90)
    for _ in range(3):
        if plain.sum() < 0.6 * border.sum():
            return None
        field = terms @ np.linalg.lstsq(terms[plain], colours[plain], rcond=None)[0]
        distance = np.linalg.norm(colours - field, axis=-1)
        plain = border & (distance < PLAIN_DISTANCE)
    near = distance < PLAIN_DISTANCE
    _, regions = cv2.connectedComponents(near.astype(np.uint8), connectivity=4)
    seeds = np.full((height, width), cv2.GC_PR_FGD, np.uint8)
    seeds[distance < 2 * PLAIN_DISTANCE] = cv2.GC_PR_BGD
    seeds[distance > 5 * PLAIN_DISTANCE] = cv2.GC_FGD
    seeds[near & np.isin(regions, np.unique(regions[plain]))] = cv2.GC_BGD
    return seeds


def _likely_place(height: int, width: int, *, person: bool) -> Floats:
    """The prior probability that a pixel shows the subject: head and shoulders, or the centre."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (y + 0.5) / height, (x + 0.5 - width / 2) / np.sqrt(height * width)
    if person:
        head = 1 - np.hypot(x / 0.23, (y - 0.33) / 0.27)
        half_width = 0.15 + 0.7 * np.clip(y - 0.5, 0, 0.3)
        body = np.minimum((half_width - np.abs(x)) / 0.2, (y - 0.48) / 0.2)
        inside = np.maximum(head, body)
    else:
        inside = 1 - np.hypot(x / 0.36, (y - 0.5) / 0.36)
    probability: Floats = 1 / (1 + np.exp(-8 * inside))
    return probability


def _seeds_by_place(rgb: Bytes, prior: Floats) -> Bytes:
    """GrabCut labels for clutter: patches of one colour belong where most of their kind lie.

    Pixels are grouped by colour and place (k-means from a regular grid); each patch starts from the
    mean prior and is moved by the patches of like colour near it.
    """
    height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
    half = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(half.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab *= np.array([0.6, 1, 1], np.float32)
    y, x = np.mgrid[0:height, 0:width]
    place = np.dstack([x, y]).astype(np.float32) * (90 / max(width, height))
    points = np.dstack([lab, place]).reshape(-1, 5)
    rows, columns = (max(1, round(14 * side / max(width, height))) for side in (height, width))
    grid = (y * rows // height * columns + x * columns // width).astype(np.int32).reshape(-1, 1)
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 8, 0.0)
    _, labels, centres = cv2.kmeans(
        points, rows * columns, grid, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS
    )
    patches = labels.ravel()
    sizes = np.bincount(patches, minlength=rows * columns)
    small_prior = cv2.resize(prior, (width, height), interpolation=cv2.INTER_AREA).ravel()
    mean = np.bincount(patches, small_prior, rows * columns) / np.maximum(sizes, 1)
    apart = (centres[:, None] - centres[None]) * np.array([1, 1, 1, 0.35, 0.35])
    alike = np.exp(-np.sum(apart**2, axis=-1) / (2 * 9.0**2)) * sizes
    belief = mean
    for _ in range(4):
        odds = (mean + 1e-3) / (1 - mean + 1e-3)
        odds *= (alike @ belief + 20) / (alike @ (1 - belief) + 20)
        belief = odds / (1 + odds)
    belief = belief[patches].reshape(height, width).astype(np.float32)
    belief = cv2.resize(belief, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    seeds = np.where(belief > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[belief > 0.95], seeds[belief < 0.05] = cv2.GC_FGD, cv2.GC_BGD
    return seeds


def _tidy(mask: Mask, *, hole_share: float) -> Mask:
    """Without specks, islands under a tenth of the largest, and holes up to a share of the image.

    On a white page every hole is filled: it is the subject's own white more often than the page.
    """
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(1))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA] * (np.arange(len(stats)) > 0)
    kept = np.isin(labels, np.flatnonzero(areas >= max(1, 0.1 * areas.max())))
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] <= hole_share * mask.size)
    return kept | np.isin(labels, np.setdiff1d(small, border))


def _refine(rgb: Floats, soft: Floats) -> tuple[Floats, Floats]:
    """Alpha in [0, 1] and the subject's own colour, by the compositing equation near the outline.

    Where F and B are alike, or the pixel's colour lies off the line between them, the equation
    says little, and the outline's own soft edge counts instead.
    """
    solid = soft > 0.5
    reach_px = max(2.5, float(np.sqrt(solid.sum())) / 56)
    inside = cv2.erode(solid.astype(np.uint8), _disc(reach_px)) > 0
    outside = cv2.erode((~solid).astype(np.uint8), _disc(reach_px)) > 0
    back = _spread(rgb, outside, reach_px)
    # gaps between locks of hair show the background inside the outline
    rim = cv2.dilate(outside.astype(np.uint8), _disc(4 * reach_px)) > 0
    inside &= ~(rim & (np.linalg.norm(rgb - back, axis=-1) < 40))
    front = _spread(rgb, inside, reach_px)
    span = front - back
    power = np.sum(span * span, axis=-1)
    alpha = np.sum((rgb - back) * span, axis=-1) / (power + 1)
    off = rgb - back - np.clip(alpha, 0, 1)[..., None] * span
    trust = power / (power + 40**2) * np.exp(-np.sum(off * off, axis=-1) / (2 * 30**2))
    alpha = trust * alpha + (1 - trust) * soft
    alpha = np.clip((alpha - 0.1) / 0.8, 0, 1)
    alpha[inside], alpha[outside] = 1, 0
    return alpha, rgb + (1 - alpha)[..., None] * span * (trust > 0.1)[..., None]


def _spread(rgb: Floats, sure: Mask, reach_px: float) -> Floats:
    """Sure colours carried outward: their Gaussian mean, from near by where there are any."""
    height, width = sure.shape
    layers = np.dstack([rgb, np.ones_like(sure, np.float32)]) * sure[..., None]
    total = np.zeros_like(layers)
    for sigma_px, share in ((0.5 * reach_px, 1.0), (reach_px, 0.03), (4 * reach_px, 1e-4)):
        shrink = max(1.0, sigma_px / 3)
        size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        reduced = cv2.resize(layers, size, interpolation=cv2.INTER_AREA)
        reduced = cv2.GaussianBlur(reduced, (0, 0), sigma_px / shrink)
        total += share * cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    colours: Floats = total[..., :3] / np.maximum(total[..., 3:], 1e-9)
    return colours


def _rounded_where_cut_off(subject: Mask) -> Floats:
    """A factor that rounds the corners where the image's top or a side cuts the subject off.

    A cut at the top is also arched, as the top of a head is.
    """
    height, width = subject.shape
    radius = max(1, max(height, width) // 14)
    solid = cv2.copyMakeBorder(subject.astype(np.uint8), 0, 2 * radius, 0, 0, cv2.BORDER_REPLICATE)
    solid = cv2.copyMakeBorder(solid, radius, 0, radius, radius, cv2.BORDER_CONSTANT)
    opened = cv2.morphologyEx(solid, cv2.MORPH_OPEN, _disc(radius))
    opened = opened[radius : radius + height, radius : radius + width]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    from_border = np.minimum(y, np.minimum(x, width - 1 - x)) / radius
    factor = np.maximum(opened.astype(np.float32), np.clip(2 * from_border - 1, 0, 1))
    cut = np.flatnonzero(subject[0])
    if cut.size:
        aside_px = np.minimum(np.abs(x - cut.mean()), 0.55 * cut.size)
        arch_px = aside_px**2 / width
        factor *= np.clip((y - arch_px) / 3 + 0.5, 0, 1)
    softened: Floats = cv2.GaussianBlur(factor, (0, 0), 1.5)
    return softened


def _disc(radius_px: float) -> Bytes:
    side = 2 * max(1, round(radius_px)) + 1
    disc: Bytes = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return disc
