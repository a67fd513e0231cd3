"""Reading a plan from YAML. What is wrong is said with its line, its key and what is allowed there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import re2
import yaml

from monitor.dialects.mapping import problems as mapping_problems
from monitor.errors import PlanError
from monitor.evidence.budget import per_second
from monitor.live import CATEGORICAL, LATENCIES, live_checks
from monitor.model import QuantFormat
from monitor.plan import DeploymentRule, Plan, seconds
from monitor.signals.schema_cache import compiled
from monitor.watch import Watch
from services.planarms import arm_problems
from services.validators import install

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`(?: - at `(?P<path>[^`]*)`)?")
_AT = re.compile(r" - at `(?P<path>[^`]*)`$")
DEFAULT_FILE = "quantwatch.yaml"


def read_plan(path: str | None) -> Plan:
    """The plan in a file; without one, `quantwatch.yaml` where it exists, else the open plan. Raises `PlanError`."""
    if path is None and not Path(DEFAULT_FILE).exists():
        return Plan()
    file = Path(path or DEFAULT_FILE)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    try:
        return parse_plan(text)
    except PlanError as error:
        line = f"{file}:{error.line}: " if error.line else f"{file}: "
        raise PlanError(line + str(error), key=error.key, line=error.line) from None


def parse_plan(text: str) -> Plan:
    """The plan that a YAML text says, checked whole; raises `PlanError` for the first thing that is wrong."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise PlanError("not YAML: " + str(getattr(error, "problem", error)), line=mark and mark.line + 1) from None
    for key, line in _twice(node):
        raise PlanError(f"`{key}` is given twice", key=key, line=line)
    try:
        plan = msgspec.convert(data if data is not None else {}, Plan)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _explained(str(error), node, data) from None
    for path, problem in chain(_formats(data), _problems(plan)):
        raise PlanError(problem, key=path[-1] if path else "", line=_line(node, path))
    return plan


def _twice(node: Any) -> Iterator[tuple[str, int]]:
    """Keys that one mapping has twice, of which YAML would silently keep the last, with the line of the second."""
    waiting, known = [node], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in known or not isinstance(each, yaml.CollectionNode):
            continue
        known.add(id(each))
        keys = [key for key, _ in each.value] if isinstance(each, yaml.MappingNode) else []
        names = [key.value for key in keys if isinstance(key, yaml.ScalarNode)]
        for index, key in enumerate(keys):
            if key.value in names[:index]:
                yield key.value, key.start_mark.line + 1
        waiting += [value for _, value in each.value] if isinstance(each, yaml.MappingNode) else each.value


def _formats(data: Any) -> Iterator[tuple[list[str], str]]:
    """Unknown keys of formats, which msgspec lets pass in a dataclass."""
    allowed = tuple(QuantFormat.__dataclass_fields__)
    for name, rule in ((data or {}).get("deployments") or {}).items():
        for variant, given in (rule.get("variants") or {}).items():
            for key in given.get("format") or {}:
                if key not in allowed:
                    path = ["deployments", name, "variants", variant, "format", str(key)]
                    yield path, f"unknown key `{key}`; allowed here: {', '.join(allowed)}"


def _explained(message: str, node: Any, data: Any) -> PlanError:
    """msgspec's message with the line, the key, and what may stand there."""
    unknown = _UNKNOWN.search(message)
    if unknown:
        path = _steps(unknown["path"] or "$")
        allowed = ", ".join(_allowed(path))
        key = unknown["field"]
        path = _concrete(data, path, message)
        return PlanError(f"unknown key `{key}`; allowed here: {allowed}", key=key, line=_line(node, [*path, key]))
    at = _AT.search(message)
    path = _concrete(data, _steps(at["path"] if at else "$"), message)
    said = _AT.sub("", message)
    key = path[-1] if path else ""
    if said.startswith("Invalid enum value"):
        said += f"; allowed: {', '.join(map(str, _choices(path)))}"
    return PlanError(f"`{key}`: {said}" if key else said, key=key, line=_line(node, path))


def _steps(path: str) -> list[str]:
    """`$.deployments[...].slices[0].name` as keys."""
    return [step.strip("[]") for step in re.findall(r"\[[^\]]*\]|[^.\[\]]+", path.removeprefix("$"))]


def _concrete(data: Any, path: list[str], message: str) -> list[str]:
    """The path with each `...` replaced by the key under which the complaint arises."""
    found: list[str] = []
    for step in path:
        if step == "...":
            inside = _at_path(data, found)
            keys = list(inside) if isinstance(inside, dict) else []
            step = next((key for key in keys if _complains(_only(data, found, key), message)), step)
        found.append(step)
    return found


def _at_path(data: Any, path: list[str]) -> Any:
    for step in path:
        data = data[int(step)] if isinstance(data, list) else data.get(step) if isinstance(data, dict) else None
    return data


def _only(data: Any, path: list[str], key: str) -> Any:
    """The data with nothing but `key` in the mapping at a path."""
    if not path:
        return {key: data[key]}
    copy = list(data) if isinstance(data, list) else dict(data)
    step: Any = int(path[0]) if isinstance(data, list) else path[0]
    copy[step] = _only(data[step], path[1:], key)
    return copy


def _complains(data: Any, message: str) -> bool:
    try:
        msgspec.convert(data, Plan)
    except msgspec.ValidationError as error:
        return str(error) == message
    return False


def _shape(path: list[str]) -> Any:
    """The type that stands at a path of the plan."""
    shape: Any = Plan
    for step in path:
        shape = _member(shape, listed=step.isdigit() or step == "...")
        if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
            shape = {f.encode_name: f.type for f in msgspec.structs.fields(shape)}.get(step)
        else:
            shape = _inner(shape)
    return _member(shape, listed=False)


def _choices(path: list[str]) -> tuple[Any, ...]:
    """The values that may stand at a path where only some may."""
    return tuple(choice for choice in getattr(_shape(path), "__args__", ()) if choice is not None)


def _allowed(path: list[str]) -> tuple[str, ...]:
    """The keys that the plan's shape has at a path."""
    shape = _shape(path)
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return tuple(f.encode_name for f in msgspec.structs.fields(shape))
    fields = getattr(shape, "__dataclass_fields__", {})
    return tuple(fields)


def _inner(shape: Any) -> Any:
    arguments = getattr(shape, "__args__", ())
    return arguments[-1] if arguments and arguments[-1] is not Ellipsis else (arguments[0] if arguments else None)


def _member(shape: Any, *, listed: bool) -> Any:
    """Of a union the member that a list, or else a mapping or value, is read as; of `X | None` the X."""
    if get_origin(shape) not in (Union, UnionType):
        return shape
    members = sorted(get_args(shape), key=lambda each: each in (str, type(None)))
    return next((each for each in members if (get_origin(each) is tuple) == listed), members[0])


def _line(node: Any, path: list[str]) -> int | None:
    """The 1-based line of the node at a path; where the path says `...`, the first entry that has the rest."""
    found = _find(node, path)
    return None if found is None else found.start_mark.line + 1


def _find(node: Any, path: list[str]) -> Any:
    if not path or node is None:
        return node
    step, rest = path[0], path[1:]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key if not rest else _find(value, rest)
        if step == "...":
            return next((hit for _, value in node.value if (hit := _find(value, rest)) is not None), None)
        return None
    if isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
        return _find(node.value[int(step)], rest)
    if isinstance(node, yaml.SequenceNode) and step == "...":
        return next((hit for value in node.value if (hit := _find(value, rest)) is not None), None)
    return None


def _problems(plan: Plan) -> Iterator[tuple[list[str], str]]:
    """What a plan of the right shape may still get wrong: (path, sentence)."""
    if plan.text != "none":
        yield from _duration(["text"], plan.text)
    yield from ((["input", "mapping", *keys], said) for keys, said in mapping_problems(plan.input.mapping))
    names: set[str] = set()
    for name, rule in plan.deployments.items():
        yield from _deployment(["deployments", name], name, rule, plan)
        for variant in rule.variants:
            if variant in names:
                yield ["deployments", name, "variants", variant], f"variant `{variant}` is named twice in this plan"
            names.add(variant)


def _deployment(path: list[str], name: str, rule: DeploymentRule, plan: Plan) -> Iterator[tuple[list[str], str]]:
    for key in ("bucket", "lateness"):
        yield from _duration([*path, key], getattr(rule, key))
    for part, key in (
        ("shadow", "horizon"),
        ("correction", "horizon"),
        ("joins", "horizon"),
        ("policy", "stale_after"),
    ):
        yield from _duration([*path, part, key], getattr(getattr(rule, part), key))
    if rule.reference is not None and rule.reference not in rule.variants:
        yield (
            [*path, "reference"],
            f"`reference` names `{rule.reference}`; allowed: {', '.join(rule.variants) or 'a variant'}",
        )
    yield from _slices(path, rule)
    for variant, known in rule.variants.items():
        if known.arm is not None:
            yield from arm_problems([*path, "variants", variant, "arm"], known.arm)
        others = [other for other in rule.variants if other != variant]
        if known.control is not None and known.control not in others:
            said = f"`control` names `{known.control}`; allowed: {', '.join(others) or 'another variant'}"
            yield [*path, "variants", variant, "control"], said
    for key in ("wrong_fail", "wrong_pass"):
        yield from _within([*path, "budget", key], key, getattr(rule.budget, key), 0, 1)
    for key in ("false_pages", "tickets"):
        try:
            per_second(getattr(rule.budget, key))
        except PlanError as error:
            yield [*path, "budget", key], str(error)
    yield from _past([*path, "budget"], rule)
    shares: dict[tuple[str, ...], float] = {("joins", "share"): rule.joins.share}
    shares |= {("shadow", name): getattr(rule.shadow, name) for name in ("share", "second_share", "excluded_limit")}
    shares |= {("shadow", "strata", name): share for name, share in rule.shadow.strata.items()}
    for keys, share in shares.items():
        if not 0 <= share <= 1:
            yield [*path, *keys], f"`{keys[-1]}` is a share from 0 to 1"
    if not rule.unit_turns or min(rule.unit_turns) < 0 or not 0 < sum(rule.unit_turns) < float("inf"):
        yield [*path, "unit_turns"], "`unit_turns` are weights from 0 on, of which one must be above 0"
    for index, pattern in enumerate(rule.patterns):
        try:
            re2.compile(pattern.expression)
        except re2.error:
            yield (
                [*path, "patterns", str(index), "expression"],
                f"pattern `{pattern.name}` is no regular expression (RE2)",
            )
    yield from _checks(path, rule)
    yield from _signals(path, name, rule, plan)


def _past(path: list[str], rule: DeploymentRule) -> Iterator[tuple[list[str], str]]:
    """What cannot be promised about evidence against the past."""
    budget = rule.budget
    if budget.swing is not None and not 0 <= budget.swing < float("inf"):
        yield [*path, "swing"], "`swing` is a share of the rate, from 0 on"
    if budget.baseline == "estimated" and budget.swing is not None:
        yield [*path, "baseline"], "an estimated baseline has no `swing`: give one of the two"
    if budget.past == "page" and budget.swing is None:
        yield [*path, "past"], "evidence against the past pages only under a declared `swing`"


def _checks(path: list[str], rule: DeploymentRule) -> Iterator[tuple[list[str], str]]:
    """Schemas that cannot be compiled, and validators that cannot be loaded."""
    for index, schema in enumerate(rule.schemas):
        if compiled(schema.schema) is None:
            yield [*path, "schemas", str(index), "schema"], f"schema `{schema.name}` is no JSON Schema"
    for index, validator in enumerate(rule.validators):
        if rule.validators.index(validator) != index:
            yield [*path, "validators", str(index)], f"validator `{validator}` is named twice"
        problem = install(validator)
        if problem is not None:
            yield [*path, "validators", str(index)], problem


def _signals(path: list[str], name: str, rule: DeploymentRule, plan: Plan) -> Iterator[tuple[list[str], str]]:
    watch = Watch(name, plan)
    known = (*watch.judge.signals, *LATENCIES, *(s for s in CATEGORICAL if s not in watch.judge.signals))
    rates = [check.definition.signal for check in live_checks(watch) if check.definition.yes]
    for signal, given in rule.signals.items():
        if signal not in known and not (signal in rates and given.rate is not None):
            yield [*path, "signals", signal], f"unknown signal `{signal}`; allowed: {', '.join(known)}"
        yield from _within([*path, "signals", signal, "tolerance"], "tolerance", given.tolerance, 0, 1)
        if given.rate is not None:
            yield from _within([*path, "signals", signal, "rate"], "rate", given.rate, 0, 1)
            if signal not in rates:
                yield [*path, "signals", signal, "rate"], f"`{signal}` has no live rate of harmful outcomes"


def _slices(path: list[str], rule: DeploymentRule) -> Iterator[tuple[list[str], str]]:
    names = [one.name for one in rule.slices]
    for index, one in enumerate(rule.slices):
        if names.index(one.name) != index:
            yield [*path, "slices", str(index), "name"], f"slice `{one.name}` is named twice"
    for stratum in rule.shadow.strata:
        if stratum not in (*names, "all"):
            yield (
                [*path, "shadow", "strata", stratum],
                f"unknown slice `{stratum}`; allowed: {', '.join(names) or 'all'}",
            )


def _duration(path: list[str], value: str) -> Iterator[tuple[list[str], str]]:
    try:
        if seconds(value) < 0.001 and path[-1] == "bucket":
            yield path, "`bucket` must be longer than nothing, at least 1ms"
    except ValueError as error:
        yield path, f"`{path[-1]}`: {error}"


def _within(path: list[str], key: str, value: float, low: float, high: float) -> Iterator[tuple[list[str], str]]:
    if not low < value < high:
        yield path, f"`{key}` must lie above {low} and below {high}"
