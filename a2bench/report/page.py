"""One page of results that opens without a network: it holds its pictures, style and script."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from a2bench import __version__
from a2bench.outputs import replacing
from a2bench.redaction import redact
from a2bench.report.contents import MOST_COMPARED, Contents
from a2bench.report.figures import FIGURES, INK, save_svg
from a2bench.report.gallery import Tick, exhibits
from a2bench.results.charts import ranked, shown_table
from a2bench.results.comparison_table import HEADS, NOTE, pairs, place_rows, remarks
from a2bench.results.failures import failures
from a2bench.results.holdings import SUBJECT
from a2bench.results.leaderboard import Row
from a2bench.results.published import reported
from a2bench.results.ranks import decimal
from a2bench.text import counted, plain
from a2bench.types import Suite

MOST_LETTERS = 20_000
FEWEST_SHARED = 3
"""Metrics that a published row must share to stand beside."""
TOLD = {
    "bars": "The mean of each metric with its 95 % interval. The scales differ.",
    "radar": (
        "The same means on spokes from 0 to 1, of rows that have all of them. A radar hides "
        "intervals, its area depends on the order of the spokes, and a metric that spans little "
        "of 0 to 1 looks the same for all: read the bars."
    ),
    "distributions": "The value of every case, and the median.",
    "correlations": (
        "Spearman's correlation of each two metrics over the cases of a row, the mean of all rows: "
        "what goes together from case to case."
    ),
    "differences": (
        "Differences on the same cases with 95 % intervals; filled and blue: told apart "
        "(Comparison says how)."
    ),
}


def write_page(
    found: Contents,
    out: Path,
    *,
    title: str,
    suite: Suite | None,
    most: int | None = None,
    tick: Tick = lambda: None,
) -> None:
    """Writes the page. ``suite`` has the prompts and references, ``most`` limits the cases shown.

    What is of a case is written before the next is read, so that memory is that of one case and of
    the tables. Names, prompts and reasons are text and nothing else: the template escapes them, and
    the page lets no script run but its own. Raises ``CannotRun`` with the path.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def printable(value: Any) -> Any:
        text = isinstance(value, str) and not isinstance(value, Markup)
        return plain(value, limit=MOST_LETTERS) if text else value

    template = Environment(
        loader=PackageLoader("a2bench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
    ).get_template("page.html")
    style, script = (
        files("a2bench.report").joinpath(f"page.{end}").read_text("utf-8") for end in ("css", "js")
    )
    told = {
        "title": plain(title),
        "version": __version__,
        "style": Markup(style),  # noqa: S704 - ours
        "script": Markup(script),  # noqa: S704 - ours
        "script_hash": b64encode(sha256(script.encode("utf-8")).digest()).decode("ascii"),
        "table": _table(found),
        "notes": [*found.board.notes, *_skipped(found)],
        "reported": _reported(found),
        "figures": list(_figures(found)),
        "pairs": _pairs(found),
        "cases": exhibits(found, suite, most, tick=tick),
        "cases_note": _cases_note(found, suite, most),
        "failures": _failures(found),
        "rows": [_row(row, name) for row, name in zip(found.rows, found.names, strict=True)],
    }
    with replacing(out) as staged, staged.open("wb") as file:
        template.stream(told).dump(file, encoding="utf-8")


def _table(found: Contents) -> dict[str, Any]:
    """The rows with all metrics, and the comprehensive score with its rank."""
    shown = shown_table(found.lines)
    heads, rows = list(shown), shown.to_numpy().tolist()
    if found.board.recipe is not None:
        scores = ranked(found.board.scored, found.board.recipe)
        extra = {one["model"]: (one["comprehensive"], one["rank"]) for one in scores}
        heads[1:1] = ["comprehensive", "rank"]
        rows = [[row[0], *extra[row[0]], *row[1:]] for row in rows]
    return {"heads": heads, "rows": rows}


def _skipped(found: Contents) -> list[str]:
    if found.compared is None and len(found.rows) > 1:
        return [
            f"Of more than {MOST_COMPARED} rows pairs are not compared here: a2bench compare does."
        ]
    return []


def _reported(found: Contents) -> dict[str, Any] | None:
    """Published rows that share some of the metrics; None without any."""
    metrics = [name for name in found.metrics if " (" not in name]
    rows = [
        [f"{one.model} ({one.table.name})", *(_figure_of(one.figures, m) for m in metrics)]
        for one in reported(metrics)
        if len(one.figures) >= FEWEST_SHARED
    ]
    return {"heads": ["row (table)", *metrics], "rows": rows} if rows else None


def _figure_of(figures: Mapping[str, Any], metric: str) -> str:
    one = figures.get(metric)
    return decimal(None if one is None else one.value)


def _figures(found: Contents) -> Iterator[dict[str, Any]]:
    from markupsafe import Markup

    for name, draw in FIGURES.items():
        if (figure := draw(found)) is not None:
            save_svg(figure, held := io.StringIO(), name)
            svg = held.getvalue()
            svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
            yield {"told": TOLD[name], "svg": Markup(svg)}  # noqa: S704 - matplotlib escapes


def _pairs(found: Contents) -> dict[str, Any] | None:
    if found.compared is None:
        return None
    place_heads, places = place_rows(found.compared)
    return {
        "note": NOTE,
        "heads": HEADS,
        "tables": pairs(found.compared),
        "place_heads": place_heads,
        "places": places,
        "remarks": remarks(found.compared),
    }


def _cases_note(found: Contents, suite: Suite | None, most: int | None) -> str:
    count = len({work.case_id for row in found.rows for work in row.works})
    told = [f"{counted(min(count, most or count), 'case')} of {count}, of each row its first seed."]
    if suite is None:
        told.append("The suite is not at hand, so prompts and references are not shown (--suite).")
    return " ".join(told)


def _failures(found: Contents) -> list[tuple[str, ...]]:
    return [
        (name, one.what, str(one.status.value), one.reason, _works(one.works))
        for row, name in zip(found.rows, found.names, strict=True)
        for one in failures(row)
    ]


def _works(works: Sequence[tuple[str, int]]) -> str:
    named = ", ".join(f"{case_id}/{seed}" for case_id, seed in works[:8])
    return f"{len(works)}: {named}" + (", …" if len(works) > 8 else "")


def _row(row: Row, name: str) -> dict[str, Any]:
    """What a row was made of: model, suite, machines, licences, metrics."""
    licences = {
        record.licence
        for work in row.works
        for record in (*work.scores.values(), *([work.video] if work.video else []))
        if record.licence
    }
    seeds = sorted({work.seed for work in row.works})
    facts = [
        ("model", f"{row.model['name']}, revision {row.model['revision'] or 'not told'}"),
        (
            "parameters",
            ", ".join(f"{k}={v}" for k, v in dict(row.model.get("params") or {}).items()),
        ),
        ("suite", f"{row.suite['name']} {row.suite['version']}, sha256 {row.suite['key']}"),
        ("profile", row.profile),
        ("seeds", ", ".join(map(str, seeds[:20])) + (" …" if len(seeds) > 20 else "")),
        ("licences", "; ".join(sorted(licences))),
        *_provenance(row),
    ]
    return {
        "name": name,
        "facts": [(what, redact(str(text))) for what, text in facts if text],
        "metrics": [_metric(column, metric) for column, metric in row.metrics.items()],
    }


def _metric(column: str, metric: Mapping[str, Any]) -> tuple[str, ...]:
    networks = ", ".join(
        f"{name} {str(held)[:12]}"
        for extractor in metric["extractors"]
        for name, held in dict(extractor["weights"]).items()
    )
    better = "higher" if metric["higher_is_better"] else "lower"
    return column, str(metric["version"]), better, networks or "–"


def _provenance(row: Row) -> Iterator[tuple[str, str]]:
    """The newest run of the row's stores that was of this model."""
    for store in row.stores:
        of = (one for one in store.manifests() if row.covers(_subject(one["request"])))
        if told := max((one["provenance"] for one in of), key=_started, default=None):
            packages = ", ".join(f"{k} {v}" for k, v in told.get("packages", {}).items() if v)
            yield "machine", f"{told.get('platform', '')}, {told.get('cores', '')} cores"
            yield (
                "versions",
                f"a2bench {told.get('a2bench')}, Python {told.get('python')}, {packages}",
            )
            yield "started", str(told.get("started_at", ""))


def _started(told: Mapping[str, Any]) -> str:
    return str(told.get("started_at", ""))


def _subject(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: request[name] for name in SUBJECT}
