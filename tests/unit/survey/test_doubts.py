"""Bad input is named before anything is taken, in one sentence each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monitor.plan import Plan
from monitor.survey.survey import Survey
from services.planfile import parse_plan
from tests.support.events import CLOCK, START, Json, plan, request
from tests.support.own_log import BUILD, cities, city

Surveyed = Callable[..., Survey]


def requests(count: int = 40, **given: object) -> list[Json]:
    return [request(f"r{n}", START + n, **given) for n in range(count)]


def one(found: Survey) -> str:
    (doubt,) = found.doubts
    return doubt


def test_a_sound_log_raises_none(surveyed: Surveyed) -> None:
    assert surveyed(requests()).doubts == ()
    assert surveyed(requests(), plan()).doubts == ()
    assert surveyed(cities(40)).doubts == ()


def mapping(**keys: object) -> Plan:
    return parse_plan(str({"input": {"mapping": keys}}))


@pytest.mark.parametrize(
    ("key", "place", "named"),
    [
        (
            "conversation",
            "$.nowhere",
            "`input.mapping.conversation` points nowhere: in all 40 lines nothing at `$.nowhere`",
        ),
        ("user", "request.nobody", "`input.mapping.user` points nowhere: in all 40 lines nothing at `request.nobody`"),
        ("tags", {"route": "headers.x-no"}, "`input.mapping.tags.route` points nowhere: in all 40 lines nothing at"),
        ("timings", {"total": "$.none"}, "`input.mapping.timings.total` points nowhere: in all 40 lines nothing at"),
    ],
)
def test_a_mapping_that_points_nowhere(surveyed: Surveyed, key: str, place: object, named: str) -> None:
    assert one(surveyed(cities(40), mapping(**{key: place}))).startswith(named)


def test_a_mapping_that_points_somewhere_in_one_line_is_no_doubt(surveyed: Surveyed) -> None:
    records = [city(n, **({"chat": "c1"} if n == 7 else {})) for n in range(40)]

    assert surveyed(records, mapping(conversation="$.chat")).doubts == ()


@pytest.mark.parametrize(("key", "reason"), [("time", "no_time"), ("variant", "no_variant"), ("request", "no_request")])
def test_a_mapping_without_which_nothing_is_taken(surveyed: Surveyed, key: str, reason: str) -> None:
    found = surveyed(cities(40), mapping(**{key: "$.nowhere"}))

    assert found.doubts[0] == f"40 of 40 lines cannot be taken ({reason}): nothing at `$.nowhere`"
    assert found.requests == 0


def test_a_plan_for_other_variants(surveyed: Surveyed) -> None:
    known = "`shop-fp16`, `shop-int4`, `shop-int8`"

    assert one(surveyed(requests(variant="shop-awq")[:10] + requests()[10:], plan(bot=False))) == (
        f"variant `shop-awq` (25 % of the requests) is not in the plan, whose `shop` has {known}"
    )


def test_a_plan_for_other_deployments(surveyed: Surveyed) -> None:
    found = surveyed(requests(deployment="store"), plan(bot=False))

    assert found.doubts[0] == "40 of 40 lines cannot be taken (unknown_deployment)"
    assert found.doubts[1] == "deployment `store` (100 % of the requests) is not in the plan, which has `shop`"


def test_two_builds_in_turns(surveyed: Surveyed) -> None:
    records = [city(n) for n in range(40)]
    for n, record in enumerate(records):
        record["response"]["system_fingerprint"] = f"b{n % 2}"

    assert one(surveyed(records)) == (
        f"variant `{BUILD}` seems to be 2 builds under one name: `tags.system_fingerprint` says `b0`, `b1`, in turns; "
        "a build needs a name of its own"
    )


def test_two_builds_one_after_the_other(surveyed: Surveyed) -> None:
    records = [request(f"r{n}", START + n, tags={"revision": "old" if n < 20 else "new"}) for n in range(40)]

    assert "`tags.revision` says `old`, `new`, one after the other" in one(surveyed(records))


def test_two_models_where_the_mapping_names_the_build(surveyed: Surveyed) -> None:
    records = [city(n, model="acme-awq" if n % 2 else "acme-fp16") for n in range(40)]

    assert surveyed(records).doubts == ()
    said = one(surveyed(records, mapping(variant={"constant": "acme"})))
    assert "variant `acme` seems to be 2 builds under one name: `response.model` says `acme-fp16`, `acme-awq`" in said


def test_one_name_in_two_deployments(surveyed: Surveyed) -> None:
    records = requests(20) + [request(f"s{n}", START + n, deployment="store") for n in range(20)]

    assert one(surveyed(records)).startswith("variant `shop-int4` serves in `shop`, `store`")


def test_clocks_of_two_builds_hours_apart(surveyed: Surveyed) -> None:
    records = [
        request(f"r{n}", START + n - (7_200 if n % 2 else 0), variant="shop-int8" if n % 2 else "shop-fp16")
        for n in range(40)
    ]
    found = surveyed(records)

    assert found.doubts == ("lines of `shop-int8` lie 2 h behind the lines around them: two clocks that disagree?",)
    assert found.refused == {"late": 20}


def test_clocks_of_two_servers_of_one_build_hours_apart(surveyed: Surveyed) -> None:
    records = [request(f"r{n}", START + n - (7_200 if n % 4 == 0 else 0)) for n in range(40)]
    found = surveyed(records)

    assert found.refused == {"late": 9}
    assert one(found) == (
        "9 of 40 lines come too late for the plan's `lateness`, up to 2 h behind the newest before them: "
        "two clocks that disagree, or no order of time?"
    )


def test_clocks_of_serving_and_logging_hours_apart(surveyed: Surveyed) -> None:
    records = [request(f"r{n}", START + n, received_at=START + n + 5 * 3600) for n in range(40)]

    found = surveyed(records)

    assert found.refused == {"late": 40}
    assert found.doubts[1].startswith("`received_at` lies 5 h after `time`: two clocks that disagree")


def test_a_log_from_the_future_of_this_machine(surveyed: Surveyed) -> None:
    found = surveyed(requests(), clock=int((START - 6 * 3600) * 1000))

    assert found.doubts[0].startswith("40 of 40 lines cannot be taken (early)")
    assert found.doubts[1] == "the log's times lie 6 h in the future of this machine's clock"
    assert CLOCK > START * 1000


def test_many_copies(surveyed: Surveyed) -> None:
    assert one(surveyed([*requests(), *requests(10)])).startswith("10 of 50 lines are copies")
