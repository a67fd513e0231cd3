"""Answers that fell apart: cut off, looping, empty, in the wrong script; and how long they are."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monitor.model import Definition, Event, Output
from monitor.signals.columns import Columns
from monitor.signals.family import Cells, sealed
from monitor.signals.kernels_text import (
    BLANK_MARK,
    PLAIN,
    REPEATS,
    endings,
    mostly_ascii,
    repeats,
    scripts,
    switched,
)
from monitor.signals.questions import last_user_text

NO, YES, NO_CONTENT, NOT_OBSERVED = range(4)
_CELLS = ("no", "yes", "no_content", "not_observed")
LENGTH_BINS = 32
OCTAVES = 16
# Bin k holds 1 + characters in [2^(k/2), 2^((k+1)/2)); the last one is open.
LENGTH_EDGES = tuple(math.isqrt(2**k - 1) for k in range(1, LENGTH_BINS))
_LENGTH_ARRAY = np.array(LENGTH_EDGES)
_INVISIBLE = " \t\r\n\0\x0b\x0c\x85\xa0\xad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\u3000\ufeff"
_ASIDE = ("{", "[", "<", "```")

# Where each cell lies in the number that holds all five of one event; truncation has the lowest two bits.
# Characters come above all of them; a negative number has none.
_REPETITION, _EMPTY, _LANGUAGE, _LENGTH = 2, 4, 6, 9
_UNDECIDED = 4
_OTHER = -1
_REASONS = {None: NOT_OBSERVED, "length": YES}
_ABSENT = NO_CONTENT * (1 + (1 << _REPETITION) + (1 << _EMPTY) + (1 << _LANGUAGE)) - (1 << _LENGTH)


def length(output: Output) -> int:
    """Characters of the answer: its text and the arguments of its calls. The same measure for every arm."""
    characters = 0 if output.text is None else len(output.text)
    return characters + sum(len(call.arguments) for call in output.tool_calls)


def length_value(output: Output) -> int | None:
    """log2(1 + characters) over 16 octaves as 0…65,535, so that lengths of pairs can be tested like scores.

    None where the answer was not logged: no text and no calls.
    """
    if output.text is None and not output.tool_calls:
        return None
    return min(65_535, round(math.log2(1 + length(output)) * 65_535 / OCTAVES))


class Degeneration:
    """Five signals of one look at the text: `truncation`, `repetition`, `empty`, `language` and `length`.

    An output that was not logged (no text and no calls) is `no_content` throughout; calls without text have no
    repetition and no language. A finish reason or a question that was not logged is `not_observed`. Answers that
    start as code or JSON keep their language. `length` has bins only; pairs use `length_value`.
    """

    def __init__(self) -> None:
        def harm(signal: str) -> Definition:
            return sealed(Definition(signal, "degeneration", _CELLS, yes=("yes",), no=("no",)))

        bins = (*(f"{k}" for k in range(LENGTH_BINS)), "no_content")
        self.definitions: tuple[Definition, ...] = (
            *(harm(signal) for signal in ("truncation", "repetition", "empty", "language")),
            sealed(Definition("length", "degeneration", bins, unit="characters")),
        )

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        code = _code(event, output)
        if code < 0:
            return (NO_CONTENT, NO_CONTENT, NO_CONTENT, NO_CONTENT, LENGTH_BINS)
        language = code >> _LANGUAGE & 7
        if language == _UNDECIDED:
            language = int(switched(scripts([last_user_text(event) or ""]), scripts([_text(output)]))[0])
        length_bin = bisect_right(LENGTH_EDGES, code >> _LENGTH)
        return code & 3, code >> _REPETITION & 3, code >> _EMPTY & 3, language, length_bin

    def judge_all(self, columns: Columns) -> Cells:
        """As `judge` says; answers in ASCII, without calls, to questions in Latin are judged together."""
        events, outputs, texts = columns.events, columns.outputs, columns.texts
        asked = [
            question is not None and question != "" and (question.isascii() or mostly_ascii(question))
            for question in columns.questions
        ]
        reasons = [
            _OTHER if output is None or output.tool_calls else _REASONS.get(output.finish_reason, NO)
            for output in outputs
        ]
        given = np.array((list(map(len, texts)), asked, reasons), dtype=np.int64)
        marks, cells = np.empty(len(events), dtype=np.int64), np.empty((len(events), 5), dtype=np.int16)
        endings(*columns.packed, given[0], marks)
        _plain(marks, given, _LENGTH_ARRAY, cells)
        for row in np.flatnonzero(cells[:, 0] == _OTHER).tolist():
            cells[row] = self.judge(events[row], outputs[row])
        return cells


@njit(cache=True)
def _plain(marks: NDArray[np.int64], given: NDArray[np.int64], edges: NDArray[np.int64], cells: Cells) -> None:
    """The cells of plain answers; those of all others begin with `_OTHER`. `given`: characters, asked, reasons."""
    for row in range(len(marks)):
        size, asked, reason = given[:, row]
        if marks[row] & PLAIN == 0 or not asked or reason == _OTHER:
            cells[row, 0] = _OTHER
            continue
        blank = marks[row] & BLANK_MARK != 0
        cells[row, 0] = reason
        cells[row, 1] = marks[row] & REPEATS != 0
        cells[row, 2] = blank
        cells[row, 3] = NO_CONTENT if blank else NO
        cells[row, 4] = np.searchsorted(edges, size, side="right")


def _code(event: Event, output: Output | None) -> int:
    """All five cells in one number: two bits each for three of them, three for language, the rest for characters."""
    if output is None:
        return _ABSENT
    text = output.text
    if not text:
        return _wordless(output)
    reason = output.finish_reason
    code = NO if reason == "stop" else NOT_OBSERVED if reason is None else int(reason == "length")
    if repeats(text):
        code += YES << _REPETITION
    code += (length(output) if output.tool_calls else len(text)) << _LENGTH
    if text[0] in _INVISIBLE and not text.strip(_INVISIBLE):
        return code + (int(not output.tool_calls) << _EMPTY) + (NO_CONTENT << _LANGUAGE)
    messages = event.messages
    question = messages[-1].content if messages and messages[-1].role == "user" else last_user_text(event)
    if not question:
        return code + (NOT_OBSERVED << _LANGUAGE)
    if (text.isascii() or mostly_ascii(text)) and (question.isascii() or mostly_ascii(question)):
        return code
    return code if text.startswith(_ASIDE) else code + (_UNDECIDED << _LANGUAGE)


def _wordless(output: Output) -> int:
    if output.text is None and not output.tool_calls:
        return _ABSENT
    reason = output.finish_reason
    truncation = NOT_OBSERVED if reason is None else int(reason == "length")
    harm = truncation + (NO_CONTENT << _REPETITION) + (int(not output.tool_calls) << _EMPTY)
    return harm + (NO_CONTENT << _LANGUAGE) + (length(output) << _LENGTH)


def _text(output: Output | None) -> str:
    return "" if output is None else output.text or ""
