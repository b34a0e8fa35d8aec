"""Figures of results, by matplotlib: each a function from results to a figure.

Colours are Okabe and Ito's, which people who see red and green alike can tell apart; more than
eight rows repeat them with another hatch or line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from a2bench.outputs import replacing
from a2bench.report.contents import Contents
from a2bench.results.charts import axes, means, net, radar
from a2bench.results.pair import Comparison
from a2bench.results.table import Line
from a2bench.stats import spearman
from a2bench.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#666666")
HATCHES = ("", "///", "...", "xxx")
LINES = ("-", "--", ":", "-.")
FORMATS = (".svg", ".pdf", ".png")
LABEL = 28
FEWEST_CASES = 5
"""Of a row, for a correlation."""
INK = "#1b1b1c"
"""The colour of what has none of its own; a page puts the colour of its text in its place."""
_STYLE: Any = {
    "font.size": 9,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "a2bench",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
    "text.parse_math": False,
    "text.usetex": False,
}


def bars(found: Contents) -> Figure | None:
    """A panel a metric: the mean of each row with its 95 % interval."""
    table = means(found.lines)
    metrics = list(dict.fromkeys(table["metric"]))
    if not metrics:
        return None
    rows = found.names
    with _figure(len(metrics), 3, height=0.9 + 0.24 * len(rows)) as (figure, panels):
        for metric, panel in zip(metrics, panels, strict=False):
            own = table[table["metric"] == metric].set_index("model")
            for at, (name, colour, hatch, _) in enumerate(_styles(rows)):
                if name not in own.index:
                    panel.text(0, at, " not measured", va="center", color="#888888", fontsize=7)
                    continue
                mean, low, high = (float(own[end][name]) for end in ("mean", "low", "high"))
                panel.barh(at, mean, color=colour, hatch=hatch, edgecolor="white", height=0.72)
                panel.plot([low, high], [at, at], color="#888888", linewidth=1.6)
            panel.set_title(plain(metric), loc="left", fontsize=9)
            panel.set_yticks(range(len(rows)), [_short(name) for name in rows])
            panel.invert_yaxis()
            panel.grid(visible=False, axis="y")
        return figure


def radars(found: Contents) -> Figure | None:
    """A polygon for each row that has all metrics; 0 in the centre, 1 at the rim."""
    table = means(found.lines)
    corners = radar(table)
    if corners.empty or table["metric"].nunique() < 3:
        return None
    with _figure(1, 1, height=4.6, width=6.4) as (figure, (panel,)):
        for _, ring in net(table).groupby("ring"):
            panel.plot(ring["x"], ring["y"], color="#aaaaaa", linewidth=0.6)
        for spoke in axes(table).to_dict("records"):
            panel.plot([0, spoke["x"]], [0, spoke["y"]], color="#aaaaaa", linewidth=0.6)
            panel.text(spoke["label_x"], spoke["label_y"], spoke["label"], ha="center", va="center")
        for name, colour, _, line in _styles(found.names):
            own = corners[corners["model"] == name].sort_values("corner")
            if not own.empty:
                panel.plot(
                    own["x"], own["y"], line, color=colour, label=_short(name), marker="o", ms=3
                )
        panel.set_aspect("equal")
        panel.set_axis_off()
        panel.legend(loc="upper left", bbox_to_anchor=(1.05, 1.0))
        return figure


def distributions(found: Contents) -> Figure | None:
    """A panel a metric: the value of every case, a column of dots a row, and its median."""
    metrics = [m for m in found.metrics if any(line.values.get(m) for line in found.lines)]
    if not metrics:
        return None
    with _figure(len(metrics), 3, height=2.2) as (figure, panels):
        for metric, panel in zip(metrics, panels, strict=False):
            for at, (line, style) in enumerate(zip(found.lines, _styles(found.names), strict=True)):
                values = sorted(line.values.get(metric, {}).values())
                if not values:
                    continue
                spread = 0.3 * np.array([(i * 0.618034) % 1 - 0.5 for i in range(len(values))])
                panel.plot(at + spread, values, "o", color=style[1], ms=2.4, alpha=0.7)
                median = float(np.median(values))
                panel.plot([at - 0.3, at + 0.3], [median, median], color="#888888", linewidth=1.6)
            panel.set_title(plain(metric), loc="left", fontsize=9)
            shown = [_short(name) for name in found.names]
            panel.set_xticks(range(len(shown)), shown, rotation=35, ha="right")
            panel.grid(visible=False, axis="x")
        return figure


def correlations(found: Contents) -> Figure | None:
    """Spearman's correlation of each two metrics over cases, the mean of those within each row."""
    metrics = [m for m in found.metrics if any(line.values.get(m) for line in found.lines)]
    if len(metrics) < 2:
        return None
    table = np.full((len(metrics), len(metrics)), math.nan)
    for i, one in enumerate(metrics):
        for j, other in enumerate(metrics):
            within = [_spearman(line, one, other) for line in found.lines]
            known = [value for value in within if value is not None]
            table[i, j] = sum(known) / len(known) if known else math.nan
    side = 1.6 + 0.42 * len(metrics)
    with _figure(1, 1, height=side, width=side + 1.2) as (figure, (panel,)):
        panel.imshow(table, cmap="PuOr_r", vmin=-1, vmax=1)
        for (i, j), value in np.ndenumerate(table):
            text = "–" if math.isnan(value) else f"{value:.2f}".replace("0.", ".")
            ink = "white" if abs(value) > 0.6 else "black" if not math.isnan(value) else "#888888"
            panel.text(j, i, text, ha="center", va="center", color=ink, fontsize=7)
        panel.set_xticks(range(len(metrics)), map(plain, metrics), rotation=45, ha="right")
        panel.set_yticks(range(len(metrics)), map(plain, metrics))
        panel.grid(visible=False)
        return figure


def _spearman(line: Line, one: str, other: str) -> float | None:
    mine, theirs = line.values.get(one, {}), line.values.get(other, {})
    both = sorted(mine.keys() & theirs.keys())
    if len(both) < FEWEST_CASES:
        return None
    return spearman([mine[case] for case in both], [theirs[case] for case in both])


def differences(found: Contents) -> Figure | None:
    """A panel a pair of rows: each metric's difference with its interval; filled: told apart."""
    if found.compared is None:
        return None
    pairs: dict[tuple[str, str], list[Comparison]] = {}
    for one in found.compared.pairs:
        if one.difference is not None:
            pairs.setdefault((one.a, one.b), []).append(one)
    if not pairs:
        return None
    most = max(map(len, pairs.values()))
    with _figure(len(pairs), 2, height=0.9 + 0.24 * most) as (figure, panels):
        for ((a, b), group), panel in zip(pairs.items(), panels, strict=False):
            for at, one in enumerate(group):
                assert one.difference is not None
                mean, low, high = one.difference.mean, one.difference.low, one.difference.high
                colour = COLOURS[0] if one.better else "#888888"
                if low is not None:
                    panel.plot([low, high], [at, at], color=colour, linewidth=1.6)
                panel.plot(mean, at, "o", color=colour, mfc=colour if one.better else "none", ms=5)
            panel.axvline(0, color="#888888", linewidth=1)
            panel.set_yticks(range(len(group)), [plain(one.metric) for one in group])
            panel.set_title(f"{_short(a)} less {_short(b)}", loc="left", fontsize=9)
            panel.invert_yaxis()
        return figure


FIGURES: dict[str, Callable[[Contents], Figure | None]] = {
    "bars": bars,
    "radar": radars,
    "distributions": distributions,
    "correlations": correlations,
    "differences": differences,
}
"""Every figure by the name of its file."""


def save(figure: Figure, out: Path) -> None:
    """Writes a figure to a file whose ending is one of ``FORMATS``."""
    import matplotlib as mpl

    told = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(out.suffix, {})
    with mpl.rc_context(_STYLE), replacing(out) as staged:
        figure.savefig(staged, metadata=told, dpi=200, bbox_inches="tight")


def save_svg(figure: Figure, out: TextIO, name: str) -> None:
    """Writes a figure as an SVG for a page that has several: ``name`` tells their parts apart."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        figure.savefig(
            out, format="svg", metadata={"Date": None}, bbox_inches="tight", transparent=True
        )


@contextmanager
def _figure(
    count: int, most: int, *, height: float, width: float = 3.3
) -> Iterator[tuple[Figure, Sequence[Any]]]:
    """A figure of as many panels, ``most`` beside each other, each so many inches large."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns = min(count, most)
    lines = math.ceil(count / columns)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).flatten().tolist()
        for panel in panels[count:]:
            panel.set_axis_off()
        yield figure, panels


def _styles(names: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    """Of each row its name, colour, hatch and line."""
    for at, (name, colour) in enumerate(
        zip(names, islice(cycle(COLOURS), len(names)), strict=True)
    ):
        again = at // len(COLOURS)
        yield name, colour, HATCHES[again % len(HATCHES)], LINES[again % len(LINES)]


def _short(name: str) -> str:
    return plain(name, limit=LABEL)
