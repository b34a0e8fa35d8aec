"""CLIP's byte pair encoding (Radford et al. 2021), read from its published vocabulary file."""

from __future__ import annotations

import gzip
import html
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from .weights import PackagedWeights

VOCABULARY = PackagedWeights(
    package="open_clip",
    release="open_clip_torch==3.3.0",
    path="bpe_simple_vocab_16e6.txt.gz",
    sha256="924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
)
MERGES = 48_894
"""The file holds more; CLIP uses these."""
START, END = "<|startoftext|>", "<|endoftext|>"
_LAST = "</w>"
_FIXED = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'(?:s|t|re|ve|m|ll|d)", re.IGNORECASE)


class ClipTokenizer:
    """Text to the token ids of CLIP, [0, 49408).

    ``vocabulary`` is a gzipped text: a header, then a pair of symbols a line, the earlier merged
    first. Raises ``ValueError`` for a file with fewer than 48,894 pairs.
    """

    def __init__(self, vocabulary: Path) -> None:
        with gzip.open(vocabulary, "rt", encoding="utf-8") as file:
            lines = file.read().split("\n")[1 : MERGES + 1]
        pairs = [(a, b) for a, b in (line.split() for line in lines if line)]
        if len(pairs) != MERGES:
            raise ValueError(f"{vocabulary} has {len(pairs)} merges, not {MERGES}")
        self._ranks = {pair: rank for rank, pair in enumerate(pairs)}
        letters = _byte_letters()
        self._letters = [letters[byte] for byte in range(256)]
        symbols = [*letters.values(), *(letter + _LAST for letter in letters.values())]
        symbols += [a + b for a, b in pairs] + [START, END]
        self._ids = {symbol: index for index, symbol in enumerate(symbols)}
        self.start, self.end = self._ids[START], self._ids[END]

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without the marks of its start and end."""
        return [self._ids[s] for word in _words(plain(text)) for s in self._symbols(word)]

    def _symbols(self, word: str) -> list[str]:
        """A word as the fewest symbols, the pair of the lowest rank merged first."""
        if word in (START, END):
            return [word]
        symbols = [self._letters[byte] for byte in word.encode()]
        symbols[-1] += _LAST
        while len(symbols) > 1:
            best = min(pairwise(symbols), key=lambda pair: self._ranks.get(pair, MERGES))
            if best not in self._ranks:
                break
            symbols = _merged(symbols, best)
        return symbols


def plain(text: str) -> str:
    """Text in lower case and one line, HTML entities resolved, typography made plain.

    CLIP's reference does this with ``ftfy.fix_text``. Of its repairs these are here: straight
    quotes, Latin ligatures, full-width forms, control characters, surrogates, NFC. Not here:
    wrongly decoded text ("â€™" for an apostrophe) and terminal escapes stay as they are.
    """
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "<" not in text:
        text = html.unescape(text)  # as ftfy, which leaves entities in what looks like HTML
    text = unicodedata.normalize("NFC", text.translate(_plain_forms()))
    return " ".join(html.unescape(html.unescape(text)).split()).lower()


def _plain_forms() -> dict[int, str]:
    controls = [*range(9), 0x0B, *range(0x0E, 0x20), 0x7F]
    controls += [*range(0x206A, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFD)]
    compatible = [*range(0xFF01, 0xFFF0), 0x3000, *range(0xFB00, 0xFB07)]
    compatible += [0x132, 0x133, *range(0x1C4, 0x1CD), *range(0x1F1, 0x1F4)]
    return (
        dict.fromkeys(controls, "")
        | {code: unicodedata.normalize("NFKC", chr(code)) for code in compatible}
        | dict.fromkeys([0x2BC, *range(0x2018, 0x201C)], "'")
        | dict.fromkeys(range(0x201C, 0x2020), '"')
        | {0x149: "'n"}
    )


def _words(text: str) -> Iterator[str]:
    """Contractions, runs of letters, single numerals, runs of other characters; no spaces."""
    at = 0
    while at < len(text):
        fixed = _FIXED.match(text, at)
        end = fixed.end() if fixed else _run_end(text, at)
        if not text[at].isspace():
            yield text[at:end]
        at = end


def _run_end(text: str, at: int) -> int:
    kind = _kind(text[at])
    end = at + 1
    while kind != "N" and end < len(text) and _kind(text[end]) == kind:
        end += 1
    return end


def _kind(character: str) -> str:
    if character.isspace():
        return "space"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "other"


def _merged(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    """The symbols with each occurrence of the pair, from the left, made one."""
    merged: list[str] = []
    rest = iter([*symbols, ""])
    symbol = next(rest)
    while symbol:
        following = next(rest)
        if (symbol, following) == pair:
            merged.append(symbol + following)
            following = next(rest)
        else:
            merged.append(symbol)
        symbol = following
    return merged


def _byte_letters() -> dict[int, str]:
    """A visible character for each byte, in the vocabulary's order: Latin-1's visible ones first.

    The others are shifted to the characters from 256 on.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {
        byte: chr(256 + index) for index, byte in enumerate(hidden)
    }
