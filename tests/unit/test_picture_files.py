"""Every kind of file in docs/pictures.md, with the right pixels or the right reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from a2bench.errors import PictureError, SuiteError
from a2bench.pictures import over_white, read_rgba, upright
from a2bench.suites.suite import load_suite
from a2bench.types import Element
from tests.helpers.picture_files import BLUE, FILES, HEIGHT, PAGE, RED, WIDTH, PictureFile
from tests.helpers.picture_files import page as made_page


def suite_of(path: Path) -> Path:
    """A suite whose one reference is a picture file."""
    header = '{"suite": "s", "version": "1", "references": "manifest.csv"}\n'
    path.with_name("suite.jsonl").write_text(
        header + '{"id": "c", "prompt": "p", "elements": ["e"]}\n'
    )
    path.with_name("manifest.csv").write_text(f"id,file,role,name\ne,{path.name},object,bear\n")
    return path.with_name("suite.jsonl")


@pytest.mark.parametrize("one", [f for f in FILES if not f.tells], ids=lambda one: one.what)
def test_a_picture_is_read_as_people_see_it(one: PictureFile, tmp_path: Path) -> None:
    path = tmp_path / f"a{one.suffix}"
    one.write(path)
    load_suite(suite_of(path))
    rgba = np.asarray(upright(path, "RGBA", 1024))
    assert rgba.shape == (HEIGHT, WIDTH, 4)
    for part, colour in ((np.s_[2:-2, 2:12], one.left), (np.s_[2:-2, -12:-2], one.right)):
        assert np.abs(rgba[part].astype(int) - colour).max() <= one.near
    assert np.array_equal(np.asarray(upright(path, "RGB", 1024)), over_white(rgba))
    element = Element(id="e", role="object", image=path, sha256="", name="bear")
    assert np.array_equal(read_rgba(element), rgba)


@pytest.mark.parametrize("one", [f for f in FILES if f.tells], ids=lambda one: one.what)
def test_what_cannot_be_used_is_refused_by_the_check_of_the_suite(
    one: PictureFile, tmp_path: Path
) -> None:
    path = tmp_path / f"a{one.suffix}"
    one.write(path)
    with pytest.raises(SuiteError) as caught:
        load_suite(suite_of(path))
    (fault,) = caught.value.faults
    assert fault.startswith(f"{tmp_path / 'manifest.csv'}:2: file: 'a{one.suffix}': ")
    assert one.tells in fault


def test_a_turned_png_of_16_bits_is_upright(tmp_path: Path) -> None:
    import cv2

    values = np.zeros((WIDTH, HEIGHT, 3), np.uint16)
    values[WIDTH // 2 :], values[: WIDTH // 2] = (
        np.array(RED[::-1]) * 257,
        np.array(BLUE[::-1]) * 257,
    )
    assert cv2.imwrite(str(tmp_path / "a.png"), values)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(with_exif(data, exif.tobytes()))
    shown = np.asarray(upright(tmp_path / "b.png", "RGB", 1024))
    assert shown.shape == (HEIGHT, WIDTH, 3)
    assert (shown[:, : WIDTH // 2] == RED).all()
    assert (shown[:, WIDTH // 2 :] == BLUE).all()


def with_exif(png: bytes, exif: bytes) -> bytes:
    from tests.helpers.picture_files import _chunk

    return png[:33] + _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")) + png[33:]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_opaque_pictures_of_8_bits_are_what_they_always_were(tmp_path: Path, mode: str) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (90, 130, 4), dtype=np.uint8)
    values[..., 3] = 255
    Image.fromarray(values).convert(mode).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        for asked in ("RGB", "RGBA"):
            before = ImageOps.exif_transpose(image).convert(asked)
            before.thumbnail((64, 64), Image.Resampling.LANCZOS)
            assert np.array_equal(
                np.asarray(upright(tmp_path / "a.png", asked, 64)), np.asarray(before)
            )


def test_a_picture_with_other_numbers_is_refused_also_without_a_suite(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(PictureError, match=r"a\.tif: its pixels are of the kind F: save it as"):
        upright(tmp_path / "a.tif", "RGB", 64)


def test_the_page_is_made_of_the_list() -> None:
    assert PAGE.read_text(encoding="utf-8") == made_page(), "python -m tests.helpers.picture_files"
