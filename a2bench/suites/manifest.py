"""Reads and checks reference images and the manifest (a CSV file) that lists them.

A manifest has the columns of ``REQUIRED`` and any of the others in ``COLUMNS``. ``file`` is a path
inside the manifest's folder; a ``sha256`` that is given is checked. All cells are text, and the
rules are of sense (given twice, not there, no image): a pydantic model would have nothing to check.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
from pathlib import Path, PureWindowsPath

from PIL import Image

from a2bench.names import is_file, on_disk
from a2bench.pictures import refusal
from a2bench.redaction import redact
from a2bench.suites.text_file import Source
from a2bench.types import ROLES, Element

REQUIRED = ("id", "file", "role", "name")
COLUMNS = (
    "id", "file", "role", "subject", "view", "name", "category", "caption", "width", "height",
    "licence", "author", "source", "sha256",
)  # fmt: skip
ID = re.compile(r"(?![.-])[A-Za-z0-9._-]{1,64}")
ID_RULE = "must be 1 to 64 of A-Z a-z 0-9 . _ - and not start with . or -"
MAX_IMAGE_BYTES = 50_000_000
MAX_IMAGE_PIXELS = 64_000_000
FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "AVIF": ".avif"}
"""Pillow's names of the formats that are read (AVIF where Pillow can), with their suffixes."""
_OTHERS = (
    (0, b"II*\0", "TIFF"), (0, b"MM\0*", "TIFF"), (0, b"II+\0", "TIFF"), (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"), (0, b"8BPS", "PSD"), (0, b"%PDF", "PDF"), (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"), (4, b"jP  ", "JPEG 2000"), (4, b"ftypavi", "AVIF"),
    (4, b"ftyphe", "HEIC"), (4, b"ftypmif1", "HEIC"), (4, b"ftypmsf1", "HEIC"),
)  # fmt: skip
"""Where the first bytes of other formats stand, what they are, and how people call them."""


def id_fault(text: str) -> str:
    """Why a text cannot be the id or the name of something; empty if it can."""
    return secret_fault(text) if ID.fullmatch(text) else f"{text!r} {ID_RULE}"


def secret_fault(text: str) -> str:
    """Why a text cannot stand in manifests and records; empty if it can."""
    shown = redact(text)
    return "" if shown == text else f"{shown!r} holds a secret, and is published"


def read_manifest(source: Source) -> dict[str, Element | None]:
    """The elements of a manifest by id, None for a faulty one; empty when it cannot be read."""
    elements: dict[str, Element | None] = {}
    before = len(source.faults)
    rows = source.table(REQUIRED, COLUMNS)
    if not rows and len(source.faults) == before:
        source.fault(1, "file", "lists no image")
    for line, row in rows.items():
        values = {name: row.get(name, "").strip() for name in COLUMNS}
        if values["id"] in elements:
            source.fault(line, "id", f"{values['id']!r} is given twice")
        elements[values["id"]] = _element(source, line, values)
    return elements


def contained(folder: Path, name: str) -> Path:
    """The real path of ``name`` inside ``folder``.

    Raises ``ValueError`` with the reason when it is absolute, has ``..`` or a control character, or
    leads out through a link. Both kinds of slashes and drive letters count on every system.
    """
    windows = PureWindowsPath(name)
    if not name or not name.isprintable():
        raise ValueError("is empty or has a control character")
    if windows.drive or windows.root:
        raise ValueError("must be a relative path")
    if ".." in windows.parts:
        raise ValueError("must not contain '..'")
    folder = on_disk(folder)
    path = Path(os.path.realpath(on_disk(folder / name)))
    if not path.is_relative_to(os.path.realpath(folder)):
        raise ValueError("is a link that leaves the folder")
    return path


def inspect_image(path: Path) -> tuple[str, str]:
    """The sha256 of an image and the suffix of its format; its header is read, nothing decoded.

    Raises ``ValueError`` with the reason when it is missing, over the limits or no such image.
    """
    if not is_file(path):
        raise ValueError("no such file")
    if (size := path.stat().st_size) > MAX_IMAGE_BYTES:
        raise ValueError(f"{size} bytes, over the limit of {MAX_IMAGE_BYTES}")
    data = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's own, higher limit on pixels
            with Image.open(io.BytesIO(data), formats=_formats()) as image:
                pixels, suffix = image.width * image.height, FORMATS.get(str(image.format), ".jpg")
                reason = refusal(image)
    except Image.DecompressionBombError as error:
        raise ValueError(f"over the limit of {MAX_IMAGE_PIXELS} pixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(_unreadable(data)) from error
    if pixels > MAX_IMAGE_PIXELS:
        raise ValueError(f"{pixels} pixels, over the limit of {MAX_IMAGE_PIXELS}")
    if reason:
        raise ValueError(reason)
    return hashlib.sha256(data).hexdigest(), suffix


def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _unreadable(data: bytes) -> str:
    told = f"not a readable {', '.join(_formats())} image"
    others = (name for at, start, name in _OTHERS if data[at:].startswith(start))
    name = next(others, "")
    return f"{told}: it is a {name}; save it as a PNG of 8 bits" if name else told


def _element(source: Source, line: int, values: dict[str, str]) -> Element | None:
    before = len(source.faults)
    role = next((role for role in ROLES if role == values["role"]), None)
    if wrong := id_fault(values["id"]):
        source.fault(line, "id", wrong)
    if role is None:
        source.fault(line, "role", f"unknown role {values['role']!r}; use {', '.join(ROLES)}")
    if not values["name"]:
        source.fault(line, "name", "is empty")
    image, sha256 = _image(source, line, values["file"], values["sha256"])
    if role is None or len(source.faults) > before:
        return None
    return Element(
        id=values["id"],
        role=role,
        image=image,
        sha256=sha256,
        name=values["name"],
        caption=values["caption"],
        licence=values["licence"],
        subject=values["subject"] or values["id"],
        category=values["category"],
        view=values["view"],
    )


def _image(source: Source, line: int, name: str, declared: str) -> tuple[Path, str]:
    """The image's real path and sha256, or faults."""
    try:
        path = contained(source.path.parent, name)
        sha256, _ = inspect_image(path)
    except (ValueError, OSError) as error:
        source.fault(line, "file", f"{name!r}: {error}")
        return Path(), ""
    if declared and declared.lower() != sha256:
        what = f"{declared!r}, but the bytes of {name!r} have {sha256}"
        source.fault(line, "sha256", f"{what}: the image or the manifest has changed")
    return path, sha256
