"""Records tests/golden/ratings.json: rating statistics of public code, which is run and not copied.

In an environment of its own, from the root of the repository, beside a clone of Netflix/sureal
(commit 526715c; its itut_p910_demo is the reference code of ITU-T P.910)::

    pip install numpy scipy pandas krippendorff==0.9.0 pingouin==0.7.0
    python -m tests.golden.make_ratings PATH/TO/sureal/itut_p910_demo

krippendorff and pingouin are GPL-3.0: they are asked for numbers, and are no dependency.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.study_raters import Floats, digits

PATH = Path(__file__).with_name("ratings.json")
KEYS = ("mos_j", "sos_j", "bias_i", "inconsistency_i")
HOW = (
    "votes: one text a video, one digit a rater, - for no vote. annex_e: Netflix/sureal 526715c, "
    "itut_p910_demo/demo_p910.py on its sample_data.csv, and with half of its votes taken out. "
    "alpha: krippendorff 0.9.0, ordinal. icc2k: pingouin 0.7.0, ICC(A,k)."
)


def annex_e(demo: Any, scores: Floats) -> dict[str, Any]:
    with contextlib.redirect_stdout(io.StringIO()):
        found = demo.run_alternating_projection(scores)
    values = {key: [round(float(value), 12) for value in found[key]] for key in KEYS}
    return {"votes": digits(scores), **values}


def agreement(scores: Floats) -> dict[str, Any]:
    krippendorff, pingouin = import_module("krippendorff"), import_module("pingouin")
    pandas = import_module("pandas")
    found = krippendorff.alpha(reliability_data=scores.T, level_of_measurement="ordinal")
    whole = scores[~np.isnan(scores).any(axis=1)]
    long = [(v, r, whole[v, r]) for v in range(len(whole)) for r in range(whole.shape[1])]
    frame = pandas.DataFrame(long, columns=["video", "rater", "score"])
    icc = pingouin.intraclass_corr(frame, targets="video", raters="rater", ratings="score")
    value = icc.set_index("Type").loc["ICC(A,k)", "ICC"]
    return {"votes": digits(scores), "alpha": float(found), "icc2k": float(value)}


def main(folder: Path) -> None:
    sys.path.insert(0, str(folder))
    demo = import_module("demo_p910")
    sample = demo.read_csv_into_2darray(str(folder / "sample_data.csv"))
    random = np.random.default_rng(0)
    sparse = np.where(random.random(sample.shape) < 0.5, np.nan, sample)
    small = random.integers(1, 6, size=(12, 1)) + random.integers(-1, 2, size=(12, 5))
    cases = [sample, np.clip(small, 1, 5).astype(float)]
    holed = np.where(random.random((12, 5)) < 0.1, np.nan, cases[1])
    golden = {
        "how": HOW,
        "annex_e": [annex_e(demo, scores) for scores in (sample, sparse)],
        "agreement": [agreement(scores) for scores in (*cases, holed)],
    }
    PATH.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
