"""The topics that a deployment needs: made as they should be, and held against that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.stream.cluster import Cluster

_DAY: Final = 86_400_000
_KEYS: Final = ("cleanup.policy", "retention.ms", "compression.type", "max.message.bytes")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as it should be. `retention` is how long, in milliseconds, what was not read may be read later."""

    name: str
    partitions: int
    retention: int = 7 * _DAY
    compression: str = "zstd"


def create(cluster: Cluster, wanted: Sequence[Wanted], replication: int) -> list[str]:
    """Makes those that are not there; their names."""
    there = cluster.topics([each.name for each in wanted])
    missing = [each for each in wanted if each.name not in there]
    if missing:
        cluster.create({each.name: _options(each, replication) for each in missing})
    return [each.name for each in missing]


def check(cluster: Cluster, wanted: Sequence[Wanted]) -> list[tuple[str, str]]:
    """What is wrong, as (topic, sentence)."""
    there = cluster.topics([each.name for each in wanted])
    configs = cluster.configs(list(there), _KEYS)
    found = [(each.name, "is not there") for each in wanted if each.name not in there]
    for each in wanted:
        if each.name in there:
            found += [(each.name, said) for said in _problems(each, there[each.name].partitions, configs[each.name])]
    return found


def _options(wanted: Wanted, replication: int) -> dict[str, Any]:
    return {
        "num_partitions": wanted.partitions,
        "replication_factor": replication,
        "configs": {
            "cleanup.policy": "delete",
            "retention.ms": str(wanted.retention),
            "compression.type": wanted.compression,
        },
    }


def _problems(wanted: Wanted, partitions: int, configs: Mapping[str, str]) -> Iterator[str]:
    if partitions != wanted.partitions:
        yield f"has {partitions} partitions, not {wanted.partitions}"
    if "compact" in configs.get("cleanup.policy", ""):
        yield "is compacted: of several records with one key only the last one stays"
    retention = int(configs.get("retention.ms", -1))
    if 0 <= retention < wanted.retention:
        yield f"keeps records for {_text(retention)}, not {_text(wanted.retention)}"
    compression = configs.get("compression.type", wanted.compression)
    if compression not in (wanted.compression, "producer"):
        yield f"is compressed with {compression}, not {wanted.compression}"


def _text(milliseconds: int) -> str:
    return f"{milliseconds / _DAY:g} days"
