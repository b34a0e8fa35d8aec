"""The controls do what their names say, and nothing else."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from a2bench.errors import CannotRun, GeneratorError, UsageError
from a2bench.generator import SuiteAware, generator_identity
from a2bench.generators import controls
from a2bench.generators.collage import Actor, Collage, draw
from a2bench.pictures import Frame
from a2bench.registry import GENERATORS
from a2bench.suites.pairs import paired
from a2bench.suites.suite import load_suite
from a2bench.types import ROLES, Case, Suite
from a2bench.video import decode, probe
from tests.helpers.makers import make_case, make_element, make_suite

pytestmark = pytest.mark.slow

SIZE = {"width": 96, "height": 64, "frames": 9}
NAMES = [
    *("still", "swapped", "noise", "restaged", "blurred", "compressed", "stuttered"),
    *("faded", "flickering", "defocused", "peopleless", "objectless", "distant", "shuffled"),
    *("frozen", "cut", "alone", "mistaken", "centred"),
]


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Three cases; each person has a second photograph among the references."""
    made = make_suite(tmp_path)
    second = tuple(
        replace(make_element(tmp_path, f"{c.id}-second", "character"), subject=person.subject)
        for c in made.cases
        for person in c.of("character")
    )
    return replace(made, references=made.references + second)


def control(name: str, suite: Suite) -> Collage:
    generator = GENERATORS.load(name)(**SIZE)
    if isinstance(generator, SuiteAware):
        assert generator.prepare(suite) == ()
    assert isinstance(generator, Collage)
    return generator


def clip(generator: Collage, case: Case, seed: int = 0) -> list[Frame]:
    return list(generator.render(case, seed=seed))


def same(a: Frame, b: Frame) -> bool:
    return np.array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_a_control_is_named_parallel_seeded_and_survives_pickling(name: str, suite: Suite) -> None:
    generator = control(name, suite)
    case = suite.cases[0]
    info = generator.info
    assert (info.name, info.parallel) == (name, True)
    assert dict(info.params).items() >= SIZE.items()
    copy = pickle.loads(pickle.dumps(generator))
    assert repr(copy) == repr(generator) and "width=96" in repr(copy)
    assert generator_identity(copy, case, seed=0) == generator_identity(generator, case, seed=0)
    frames = clip(generator, case)
    assert len(frames) == 9
    assert all(f.shape == (64, 96, 3) and f.dtype == np.uint8 for f in frames)
    assert all(map(same, frames, clip(copy, case)))
    assert not same(frames[0], clip(generator, case, seed=1)[0])


def cast(generator: Collage, case: Case) -> list[Actor]:
    return generator._cast(case, generator._plate(case), draw(case, 0))


def alike(one: Actor, other: Actor) -> bool:
    """Whether two actors are the same picture at the same place and size."""
    places = [(a.x_px, a.y_px, a.sprite.shape) for a in (one, other)]
    return places[0] == places[1] and same(one.sprite, other.sprite)


def test_alone_leaves_out_all_characters_but_the_first_and_mistaken_exchanges_them(
    tmp_path: Path,
) -> None:
    suite = paired(make_suite(tmp_path, 4))
    thing = make_element(tmp_path, "thing", "object")
    cases = tuple(replace(c, elements=(*c.elements, thing)) for c in suite.cases)
    suite = replace(suite, cases=cases)
    first, _, third = cast(Collage(**SIZE), cases[0])
    one, its = cast(control("alone", suite), cases[0])
    assert alike(one, first) and alike(its, third)
    # swapped shows the third case, of the third and the fourth person
    without = [replace(c, elements=c.of("character")) for c in cases]
    mistaken = control("mistaken", replace(suite, cases=tuple(without)))
    one, wrong = cast(mistaken, without[0])
    mixed = (without[0].elements[0], without[2].elements[1])
    layout = cast(Collage(**SIZE), without[0])
    expected = Collage(**SIZE)._cast(
        replace(without[0], elements=mixed), Collage(**SIZE)._plate(without[0]), draw(without[0], 0)
    )
    assert alike(one, layout[0]) and alike(one, expected[0])
    assert alike(wrong, expected[1]) and not alike(wrong, layout[1])
    shown = clip(control("alone", replace(suite, cases=tuple(without))), without[0])
    assert not any(map(same, shown, clip(Collage(**SIZE), without[0])))
    assert not any(map(same, clip(mistaken, without[0]), clip(Collage(**SIZE), without[0])))


def test_of_one_character_none_is_missing_or_mistaken(suite: Suite) -> None:
    shown = clip(Collage(**SIZE), suite.cases[0])
    for name in ("alone", "mistaken"):
        assert all(map(same, clip(control(name, suite), suite.cases[0]), shown))


def test_centred_is_the_first_character_over_two_thirds_of_the_width(suite: Suite) -> None:
    case = suite.cases[0]
    (actor,) = cast(control("centred", suite), case)
    opaque = np.flatnonzero((actor.sprite[..., 3] > 200).any(axis=0))
    assert 0.6 * 96 < opaque[-1] - opaque[0] < 0.7 * 96
    assert actor.x_px == pytest.approx(96 / 2, abs=1)
    assert (actor.pose(0.0, 15.0) == actor.pose(0.0, 0.0)).all()
    nobody = replace(case, elements=case.of("background"))
    assert cast(control("centred", suite), nobody) == []


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        ("collage", {"frames": 0}, "frames is 0: give a number above 0"),
        ("still", {"fps": -15}, "fps is -15"),
        ("swapped", {"width": -832}, "width is -832"),
        ("noise", {"height": 481}, "width 832, height 481: H.264 needs even sides"),
        ("blurred", {"sigma_px": -3.0}, "sigma_px is -3"),
        ("blurred", {"frames": 0}, "frames is 0"),
        ("defocused", {"sigma_px": float("nan")}, "sigma_px is nan"),
        ("compressed", {"quality": 0}, "quality is 0: give a number from 1 to 100"),
        ("flickering", {"by": 1.5}, "by is 1.5: give a number from 0 to 1"),
        ("distant", {"scale": 0.0}, "scale is 0"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(
    name: str, params: dict[str, float], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        GENERATORS.create(name, params)


def test_still_holds_the_first_frame(suite: Suite) -> None:
    frames = clip(control("still", suite), suite.cases[0])
    first = clip(Collage(**SIZE), suite.cases[0])[0]
    assert all(same(f, first) for f in frames)


def test_faded_flickering_and_defocused_change_the_first_frame_and_move_nothing(
    suite: Suite,
) -> None:
    first = clip(Collage(**SIZE), suite.cases[0])[0]
    faded = clip(control("faded", suite), suite.cases[0])
    assert [round(f.mean() / first.mean(), 2) for f in faded[::4]] == [1, 0.5, 0]
    flickering = clip(control("flickering", suite), suite.cases[0])
    levels = [f.mean() / first.mean() for f in flickering]
    assert max(levels) > 1.05 and min(levels) < 0.95
    defocused = clip(control("defocused", suite), suite.cases[0])
    assert same(defocused[0], first)
    assert same(defocused[-1], cv2.GaussianBlur(first, (0, 0), 12))


def test_peopleless_and_objectless_leave_out_just_that(suite: Suite) -> None:
    case = suite.cases[0]
    plate = Collage(**SIZE)._plate(case)

    def cast(generator: Collage) -> list[tuple[float, float]]:
        actors = generator._cast(case, plate, np.random.default_rng(0))
        return [(actor.x_px, actor.y_px) for actor in actors]

    person, thing = cast(Collage(**SIZE))
    assert cast(control("peopleless", suite)) == [thing]
    assert cast(control("objectless", suite)) == [person]
    frames = [clip(control(n, suite), case)[4] for n in ("collage", "peopleless", "objectless")]
    assert not any(same(a, b) for a, b in combinations(frames, 2))


def test_distant_shows_the_subjects_a_third_as_large() -> None:
    case = load_suite("a2bench-open:mini").cases[0]
    size = {"width": 416, "height": 240, "frames": 1}
    random = np.random.default_rng(0)
    for element in (*case.of("character"), *case.of("object")):
        near = Collage(**size)._part(element, 0.5, random)
        far = controls.Distant(**size)._part(element, 0.5, random)
        assert far.height_px == pytest.approx(near.height_px / 3, rel=0.15)  # drawn within 5 %
        assert far.width_px / far.height_px == pytest.approx(near.width_px / near.height_px)


def test_shuffled_has_the_same_pixels_elsewhere(suite: Suite) -> None:
    case = suite.cases[0]
    photograph = load_suite("a2bench-open:mini").cases[1]
    for shown in (case, photograph):
        plate = Collage(**SIZE)._plate(shown)
        shuffled = controls.Shuffled(**SIZE)._plate(shown)
        height, width = plate.shape[0] // 3 * 3, plate.shape[1] // 4 * 4
        inside = np.s_[:height, :width]
        assert sorted(shuffled[inside].ravel()) == sorted(plate[inside].ravel())
    apart = shuffled[inside].reshape(3, height // 3, 4, width // 4, 3) != plate[inside].reshape(
        3, height // 3, 4, width // 4, 3
    )
    assert apart.any(axis=(1, 3, 4)).all()


def test_noise_stays_noise_in_the_file(tmp_path: Path, suite: Suite) -> None:
    out = tmp_path / "noise.mp4"
    control("noise", suite).generate(suite.cases[0], seed=0, out=out)
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY).astype(float) for _, f in decode(probe(out))]
    for before, after in pairwise(grey):
        assert after.std() > 35
        assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1]) < 0.1
        assert abs(np.corrcoef(after[:, 1:].ravel(), after[:, :-1].ravel())[0, 1]) < 0.2


def test_blurred_and_compressed_lose_detail_but_not_the_picture() -> None:
    case = load_suite("a2bench-open:mini").cases[0]
    size = {"width": 208, "height": 120, "frames": 1}
    (sharp,) = clip(Collage(**size), case)
    (blurred,) = clip(controls.Blurred(**size), case)
    (compressed,) = clip(controls.Compressed(**size), case)

    def detail(frame: Frame) -> float:
        return float(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())

    def like(frame: Frame) -> float:
        return float(np.corrcoef(sharp.ravel(), frame.ravel())[0, 1])

    assert detail(blurred) < 0.1 * detail(sharp)
    blocks = compressed.astype(float).mean(axis=-1)[:112, :208].reshape(14, 8, 26, 8)
    reference = sharp.astype(float).mean(axis=-1)[:112, :208].reshape(14, 8, 26, 8)
    flat, flat_before = ((b.std(axis=(1, 3)) < 1).mean() for b in (blocks, reference))
    assert flat > flat_before + 0.1
    assert 0.8 < like(blurred) < 0.999 and 0.8 < like(compressed) < 0.999


def test_stuttered_repeats_every_fourth_frame(suite: Suite) -> None:
    smooth = clip(Collage(**SIZE), suite.cases[0])
    stuttered = clip(control("stuttered", suite), suite.cases[0])
    shown = [0, 1, 2, 2, 4, 5, 6, 6, 8]
    assert all(same(stuttered[i], smooth[j]) for i, j in enumerate(shown))
    assert not any(same(a, b) for a, b in pairwise(smooth))


def test_frozen_holds_its_middle_frame(suite: Suite) -> None:
    smooth = clip(Collage(**SIZE), suite.cases[0])
    frozen = clip(control("frozen", suite), suite.cases[0])
    shown = [0, 1, 2, 3, 4, 4, 4, 4, 4]
    assert all(same(frozen[i], smooth[j]) for i, j in enumerate(shown))


def test_cut_goes_over_to_what_swapped_shows(suite: Suite) -> None:
    case = suite.cases[0]
    films = [clip(control(name, suite), case) for name in ("cut", "collage", "swapped")]
    for index, (cut, own, other) in enumerate(zip(*films, strict=True)):
        assert same(cut, own if index < 4 else other)


def test_swapped_shows_a_case_that_shares_no_element(suite: Suite) -> None:
    generator = control("swapped", suite)
    assert isinstance(generator, SuiteAware)
    by_key = {c.key: c for c in suite.cases}
    for case in suite.cases:
        other = by_key[generator.inputs(case, seed=0)["case"]]
        for role in ROLES:
            assert {e.subject for e in case.of(role)}.isdisjoint(e.subject for e in other.of(role))
        assert all(map(same, clip(generator, case), clip(Collage(**SIZE), other)))


def test_swapped_passes_over_a_case_that_shares_an_element(tmp_path: Path) -> None:
    first, shares, differs = make_suite(tmp_path).cases
    person = first.of("character")[0]
    another = replace(make_element(tmp_path, "other-view", "character"), subject=person.subject)
    shares = replace(shares, elements=(another, *shares.elements[1:]))
    generator = controls.Swapped()
    generator.prepare(Suite(name="s", version="1", cases=(first, shares, differs)))
    assert generator.inputs(first, seed=0) == {"case": differs.key}


def test_swapped_cannot_run_without_another_case(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=r"none of [0-9]+ cases of tiny differs from case-001"):
        controls.Swapped().prepare(make_suite(tmp_path, 1))


def test_swapped_needs_every_role_in_the_other_case(tmp_path: Path) -> None:
    bare = make_case(tmp_path, "bare", roles=("character", "object"))
    cases = (make_case(tmp_path, "full"), bare)
    with pytest.raises(CannotRun, match="differs from full"):
        controls.Swapped().prepare(Suite(name="s", version="1", cases=cases))


def test_every_case_of_the_packaged_suites_can_be_swapped_and_restaged() -> None:
    for name in ("a2bench-open", "a2bench-open:mini"):
        suite = load_suite(name)
        assert controls.Swapped().prepare(suite) == ()
        assert controls.Restaged().prepare(suite) == ()


def test_restaged_shows_another_photograph_of_the_same_person() -> None:
    suite = load_suite("a2bench-open:mini")
    generator = controls.Restaged()
    generator.prepare(suite)
    by_sha256 = {e.sha256: e for e in suite.references}
    views = set()
    for case in suite.cases:
        for seed in range(4):
            (sha256,) = generator.inputs(case, seed=seed)["characters"]
            (shown,) = case.of("character")
            assert by_sha256[sha256].subject == shown.subject
            views.add(by_sha256[sha256].view)
    assert views == {"selfie", "fullbody"}


def test_restaged_differs_from_the_collage_in_object_and_person(suite: Suite) -> None:
    case = suite.cases[0]
    restaged = control("restaged", suite)
    thing = case.of("object")[0]
    plain = Collage().picture(thing, np.random.default_rng(0))
    changed = restaged.picture(thing, np.random.default_rng(0))
    assert changed.shape[0] > plain.shape[0] and changed[0, 0, 3] == 0

    def hue(picture: Frame) -> float:
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2, :3]
        return float(cv2.cvtColor(middle[None, None], cv2.COLOR_RGB2HSV_FULL)[0, 0, 0])

    apart = abs(hue(changed) - hue(plain)) * 360 / 256
    assert 25 < min(apart, 360 - apart) < 65
    assert not any(map(same, clip(restaged, case), clip(Collage(**SIZE), case)))


def test_restaged_cannot_run_without_a_second_photograph(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="case-001-character, case-002-character"):
        controls.Restaged().prepare(make_suite(tmp_path, 2))


@pytest.mark.parametrize("name", ["swapped", "restaged", "cut"])
def test_an_unprepared_control_says_what_to_do(name: str, suite: Suite) -> None:
    generator = GENERATORS.load(name)(**SIZE)
    with pytest.raises(GeneratorError, match=f"{name} was not prepared for case case-001"):
        generator.inputs(suite.cases[0], seed=0)
