"""Lines decoded together are what they are one by one, however they are laid out."""

from __future__ import annotations

import random

import pytest

from monitor import wire
from monitor.errors import Reject
from monitor.pieces import Lines
from monitor.plain import decode_plain
from tests.support.events import lines, request

ONE, TWO, THREE = lines(*(request(f"r{n}", 1_700_000_000 + n, tags={"note": "}\n{"}) for n in range(3)))


def one_by_one(body: bytes) -> list[object]:
    return [said(record) for record in wire.decode_all(Lines(0, body).listed.records)]


def said(record: object) -> object:
    return (record.reason, record.detail) if isinstance(record, Reject) else record


@pytest.mark.parametrize("body", [ONE, ONE + b"\n", b"\n".join([ONE, TWO, THREE]), b"\n".join([ONE, TWO, THREE, b""])])
def test_lines_of_one_request_each_are_decoded_together(body: bytes) -> None:
    assert decode_plain(body) == one_by_one(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        ONE + b"\n\n",
        b"\n" + ONE,
        ONE + TWO,
        ONE + b" " + TWO + b"\n",
        ONE + b"\r\n" + TWO + b"\r\n",
        ONE + b"\n" + TWO + THREE,
        ONE + TWO + b"\n" + b"{\n" + THREE[1:],
        ONE + b"\n" + TWO[:40],
        ONE + b"\n" + TWO[:40] + b"\n" + THREE,
        b"[" + ONE + b"\n" + TWO + b"]",
        ONE + b'\n{"kind": "score"}',
        ONE + b"\n" + TWO.replace(b"r1", b"r\\u0000"),
        ONE.replace(b"r0", b"r\n0") + b"\n" + TWO,
        ONE.replace(b"r0", b"r}\n{0") + b"\n" + TWO,
        b"\xff" + ONE + b"\n" + TWO,
    ],
)
def test_anything_else_is_left_to_the_cutting_of_lines(body: bytes) -> None:
    assert decode_plain(body) is None


def test_whatever_braces_newlines_and_values_follow_one_another_it_is_all_or_nothing() -> None:
    draw = random.Random(5)
    parts = [ONE, TWO, THREE, b"\n", b"\n", b"\n", b"{", b"}", b" ", b"\r", b"[", b"]", b",", b":", b'"', b"{}", b'"a"']
    agreed = 0
    for _ in range(20_000):
        body = b"".join(draw.choices(parts, weights=[9, 9, 9, 9, 9, 9, *[1] * 11], k=draw.randrange(1, 9)))
        together = decode_plain(body)
        if together is not None:
            agreed += 1
            assert together == one_by_one(body), body
    assert agreed > 500


def test_positions_are_those_of_the_lines_that_are_no_blank_ones() -> None:
    cut = Lines(10, b"{a}\n\n \n{b}\r\n{c}").listed
    assert (list(cut.positions), list(cut.records)) == ([10, 17, 22], [b"{a}", b"{b}", b"{c}"])


@pytest.mark.parametrize("size", [1, 62, 63, 64, 65, 127, 128, 129])
def test_a_newline_is_found_wherever_it_stands(size: int) -> None:
    padded = ONE[:-1] + b" " * (size + 128 - len(ONE) % 64) + b"}"
    assert decode_plain(padded + b"\n" + TWO) == one_by_one(padded + b"\n" + TWO)
