"""Tables to files: frames for programs; Markdown and LaTeX for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from a2bench.errors import CannotRun
from a2bench.keys import canonical_json
from a2bench.outputs import replacing, write_text
from a2bench.results.table import csv_of
from a2bench.text import latex_text, markdown_cell

if TYPE_CHECKING:
    import pandas as pd

_ENDS = r"\[[-+]?[\d.]+, [-+]?[\d.]+\]"
_NUMBER = re.compile(rf"[-+<]?[\d.]+( {_ENDS})?|{_ENDS}")
FRAMES = (".csv", ".jsonl", ".parquet")
"""The endings of files that ``write_frame`` knows."""


def write_frame(frame: pd.DataFrame, out: Path) -> None:
    """Writes a frame to a file whose ending says how: ``FRAMES``.

    Texts and names of columns in CSV are what no spreadsheet takes for a formula. Raises
    ``CannotRun`` without pyarrow, which writes Parquet.
    """
    if out.suffix == ".parquet":
        try:
            with replacing(out) as staged:
                frame.to_parquet(staged, index=False)
        except ImportError as error:
            raise CannotRun("Parquet needs pyarrow: pip install pyarrow") from error
    elif out.suffix == ".jsonl":
        lines = frame.astype(object).where(frame.notna(), None).to_dict("records")
        write_text(out, "".join(f"{canonical_json(line)}\n" for line in lines))
    else:
        write_text(out, csv_of(frame))


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, which shows every cell as it is."""
    lines = [heads, *rows]
    shown = ["| " + " | ".join(map(markdown_cell, line)) + " |" for line in lines]
    return "\n".join([shown[0], "|" + " --- |" * len(heads), *shown[1:]])


def latex_cell(text: str) -> str:
    """A cell for ``latex_table``; the sign of a number is a minus, not a hyphen."""
    if not _NUMBER.fullmatch(text):
        return latex_text(text)
    return re.sub(r"[-<]", lambda sign: f"${sign[0]}$", text).replace("[", "{[}")


def _is_latin(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether pdfLaTeX knows every letter without further packages."""
    texts = (*heads, *(cell for row in rows for cell in row))
    return all(ord(letter) < 0x180 or letter in "–—‘’“”…" for text in texts for letter in text)


def latex_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str,
    texts: int = 1,
    notes: Sequence[str] = (),
) -> str:
    """A table in LaTeX with booktabs. Cells are LaTeX (``latex_cell``), heads and caption are not.

    The first ``texts`` columns stand to the left, the others to the right. ``notes`` are comments.
    """
    columns = "l" * texts + "r" * (len(heads) - texts)
    body = [" & ".join(row) + r" \\" for row in rows]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            *([] if _is_latin(heads, rows) else ["% needs XeLaTeX or LuaLaTeX, for its letters"]),
            *(f"% {latex_text(note)}" for note in notes),
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(latex_text, heads)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )
