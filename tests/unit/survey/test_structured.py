"""The structure that requests demand, with what came of it."""

from __future__ import annotations

from collections.abc import Callable

from monitor.survey.extract import Extract
from monitor.survey.structured import routes
from tests.support.events import SCHEMA, START, TOOLS, Json, request


def asking(number: int, name: str | None, schema: Json, text: str | None = '{"sku": "a"}') -> Json:
    form = {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}
    return request(f"r{number}", START, response_format=form, output={"text": text} if text else None)


def test_each_demand_is_found_with_its_outcomes(extract: Callable[..., Extract]) -> None:
    records = [
        *(asking(n, "order", SCHEMA, '{"sku": 7}' if n < 2 else '{"sku": "a"}') for n in range(6)),
        *(request(f"t{n}", START, tools=TOOLS, output={"tool_calls": [{"name": "find"}]}) for n in range(3)),
        *(request(f"j{n}", START, response_format={"type": "json_object"}) for n in range(2)),
        request("p", START),
    ]
    order, tools, plain = routes(extract(records).events)

    assert (order.kind, order.name, order.requests, order.judged, order.broken) == ("json_schema", "order", 6, 6, 2)
    assert (tools.kind, tools.name, tools.requests, tools.broken) == ("tools", "find", 3, 0)
    assert (plain.kind, plain.name, plain.digest, plain.broken) == ("json", "", "", 2)
    assert len(order.digest) == len(tools.digest) == 16


def test_schemas_of_one_name_are_one_route_and_are_counted(extract: Callable[..., Extract]) -> None:
    schemas: list[Json] = [{"type": "object", "title": f"{n}"} for n in range(3)]
    records = [asking(n, "order", schemas[n % 3]) for n in range(9)]
    (order,) = routes(extract(records).events)

    assert (order.different, order.requests) == (3, 9)


def test_a_schema_that_cannot_be_compiled_is_said_to_check_nothing(extract: Callable[..., Extract]) -> None:
    broken: Json = {"type": "nonsense"}
    (order,) = routes(extract([asking(1, "order", broken), asking(2, "order", broken)]).events)

    assert (order.unchecked, order.judged) == (2, 0)


def test_outputs_that_are_not_logged_are_not_judged(extract: Callable[..., Extract]) -> None:
    (order,) = routes(extract([asking(1, None, SCHEMA, None)]).events)

    assert (order.name, order.requests, order.judged) == ("", 1, 0)
