"""`/v1/series`: sealed facts over time, for display."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from services.api.context import Shared, Time
from services.api.reply import reply
from services.store.read_series import read_series, totals
from services.store.seek import Key

router = APIRouter()
Part = Annotated[str, Query(alias="slice")]


@router.get("/v1/series")
def series(
    context: Shared,
    deployment: str,
    variant: str,
    signal: str,
    part: Part = "all",
    population: Literal["unit", "all", "pair"] = "all",
    since: Time = None,
    until: Time = None,
) -> Response:
    """The counts of every sealed bucket that touches [since, until), by the names of their cells."""
    width = context.width_ms(deployment)
    key = Key(deployment, variant, part, signal, population)
    first = None if since is None else math.floor(since * 1000 / width)
    last = None if until is None else math.ceil(until * 1000 / width)
    with context.engine.connect() as connection:
        found = read_series(connection, context.layouts, key, first, last)
    seconds = width / 1000
    if found is None:
        return reply({"bucket_seconds": seconds, "cells": [], "yes": [], "no": [], "points": []})
    definition, points = found.definition, []
    for bucket, counts in found.counts.items():
        n, yes, rate = totals(definition, population, counts)
        by_cell = dict(zip(definition.cells, counts.tolist(), strict=True))
        points.append({"time": bucket * seconds, "counts": by_cell, "n": n, "yes": yes, "rate": rate})
    cells = {"cells": definition.cells, "yes": definition.yes, "no": definition.no}
    return reply({"bucket_seconds": seconds, **cells, "points": points})
