"""A survey counts what ingestion would count, and shows nothing of what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from monitor.plan import Plan
from monitor.state import State
from monitor.step import step
from monitor.survey.survey import Survey
from tests.support.events import CLOCK, START, Json, line, plan, random_log, request
from tests.support.own_log import BUILD, FIRST, cities, city
from tests.unit.survey.conftest import run_of


def test_it_counts_what_a_step_counts(surveyed: Callable[..., Survey]) -> None:
    log = random_log(7, 600)
    state = State(plan())
    state.watermarks["file:/log.jsonl"] = 0
    batch = step(state, run_of(log))
    found = surveyed(log, plan())

    assert (found.accepted, found.duplicates) == (batch.accepted, batch.duplicates)
    assert found.refused == Counter(row.reason for row in batch.quarantine)
    first = sorted((row.position, row.reason) for row in batch.quarantine)[:5]
    assert [(problem.position, problem.reason) for problem in found.problems] == first
    assert found.lines == 600


def test_variants_have_their_share_and_span(surveyed: Callable[..., Survey]) -> None:
    records = [request(f"r{n}", START + n, variant="a" if n % 4 else "b") for n in range(40)]
    a, b = surveyed(records).variants

    assert (a.variant, a.requests, a.share) == ("a", 30, 0.75)
    assert (b.first, b.last) == (int(START * 1000), int((START + 36) * 1000))


def test_copies_and_slips_of_a_clock_are_no_requests(surveyed: Callable[..., Survey]) -> None:
    first = request("r", START)
    found = surveyed([first, first, request("s", CLOCK / 1000 + 7200), request("t", START + 1)])

    assert (found.requests, found.duplicates, found.refused) == (2, 1, {"early": 1})
    assert found.spacing is not None
    assert found.spacing.last == int((START + 1) * 1000)


def test_a_pair_is_read_with_its_origins(surveyed: Callable[..., Survey]) -> None:
    found = surveyed(cities(40))
    fields = {each.field: each for each in found.fields}

    assert found.dialects == {"openai": 40}
    assert (fields["variant"].filled, fields["variant"].origins) == (40, ("response.model",))
    assert fields["output.text"].origins == ("response.choices[0]",)
    assert fields["deployment"].origins == ("default",)
    assert fields["conversation"].filled == 0
    assert fields["conversation"].missing.startswith("nothing at `$.conversation`")
    assert fields["score"].missing == "this format has no place for it"
    assert [(v.deployment, v.variant) for v in found.variants] == [("default", BUILD)]
    assert found.spacing is not None
    assert found.spacing.first == FIRST * 1000


def test_a_native_field_comes_from_its_own_place(surveyed: Callable[..., Survey]) -> None:
    records = [request(f"r{n}", START, tags={"route": "a"} if n else None) for n in range(4)]
    fields = {each.field: each for each in surveyed(records).fields}

    assert (fields["output.text"].origins, fields["output.text"].filled) == (("$.output.text",), 4)
    assert (fields["tags.route"].origins, fields["tags.route"].filled) == (("$.tags.route",), 3)
    assert (fields["timings.total"].filled, fields["timings.total"].missing) == (0, "not in the line")


def test_the_reference_itself_is_not_to_be_replayed(surveyed: Callable[..., Survey]) -> None:
    records = [request(f"r{n}", START + n, variant="shop-fp16" if n % 2 else "shop-int4") for n in range(10)]

    assert surveyed(records, plan()).replays.requests == 5
    assert surveyed(records, Plan()).replays.requests == 10


def test_no_prompt_and_no_answer_is_in_a_survey(surveyed: Callable[..., Survey]) -> None:
    marker = "xyzzy-marker"
    said: Json = {"messages": [{"role": "user", "content": marker}], "output": {"text": marker}}
    records = [
        *(request(f"r{n}", START + n, **said) for n in range(3)),
        city(1, marker),
        request("bad", START, **said) | {"time": marker},
        line(request("cut", START, **said))[:-9],
    ]

    assert marker not in msgspec.json.encode(surveyed(records)).decode()
