"""The real pairs again and again, as they are and with every k-th answer cut: silence and alarm, each where it belongs.

Twenty prompts cannot fail a build honestly: one cut answer in twenty pairs proves nothing. So the pairs come in rounds,
one a bucket: in each round another prompt's answer is cut, and who was first and who second swaps, so that noise has
no direction. The number of pairs after which the build fails says what the plan can find; that pairs come again says
nothing of the reference, only of the plan, the signals and the evidence (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from monitor.model import Arm, Decision, Event, Message, Output, ToolCall, Verdict
from monitor.plan import DeploymentRule, VariantRule
from monitor.signals.questions import last_user_text
from monitor.watch import Watch
from services.commands.options import clock
from services.doctor.replayed import Replayed
from services.doctor.result import Result, fail, ok, skip, warn
from services.doctor.scratch import Scratch, scratch

EVERY = (20, 10, 5, 2)
ITSELF, CUT = "the reference itself", "the reference, cut"
_CHUNK, _ROUNDS = 10, 400
_PROMPT = 500
_CLEARLY = 2.0
_TRUNCATION = "let `truncation` gate (signals.truncation.gates: true)"


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a gating signal makes of cut answers: of `judged` it finds `worse` worse."""

    signal: str
    tolerance: float
    judged: int
    worse: int

    def harm(self, every: int) -> float:
        """The harm where every so many answers are cut."""
        return self.worse / self.judged / every if self.judged else 0.0


@dataclass(slots=True)
class Hands:
    """The throw-away store's clock, in milliseconds."""

    time: int

    def __call__(self) -> int:
        return self.time


def cut(output: Output) -> Output:
    """The answer as if it had been cut off in the middle."""
    calls = tuple(ToolCall(call.name, call.arguments[: len(call.arguments) // 2]) for call in output.tool_calls)
    text = None if output.text is None else output.text[: len(output.text) // 2]
    return Output(text, calls, "length")


def itself_and_cut(watch: Watch, found: Replayed) -> Iterator[Result]:
    """The reference against itself, which must not alarm, and with answers cut, which must fail."""
    pairs = found.both(Arm.REFERENCE, Arm.SECOND)
    if not pairs:
        yield skip("itself", "the reference did not answer any prompt twice")
        return
    signals = noticed(watch, pairs)
    verdicts, rounds, every = _found_first(watch, pairs, [k for k in EVERY if _findable(signals, k)])
    if verdicts.keys() != {ITSELF, CUT}:
        yield fail(
            "itself", "the pairs made no verdict in the throw-away store", "report this: it is a fault of quantwatch"
        )
        return
    yield _itself(verdicts[ITSELF], rounds * len(pairs))
    yield _found(signals, every, verdicts[CUT], rounds * len(pairs))


def noticed(watch: Watch, pairs: Sequence[tuple[Event, Output, Output]]) -> list[Noticed]:
    """What every gating signal makes of the answers once they are cut."""
    found = []
    for signal in (name for name in watch.judge.signals if watch.signal_rule(name).gates):
        both = [
            (watch.judge(event, cut(one)).get(signal, -1), watch.judge(event, other).get(signal, -1))
            for event, one, other in pairs
        ]
        known = [(bad, good) for bad, good in both if bad >= 0 and good >= 0]
        worse = sum((good - bad) / 65_535 if signal == "score" else bad != good for bad, good in known)
        found.append(Noticed(signal, watch.signal_rule(signal).tolerance, len(known), round(worse)))
    return found


def _findable(signals: Sequence[Noticed], every: int) -> bool:
    return any(one.harm(every) >= _CLEARLY * one.tolerance for one in signals)


def _found_first(
    watch: Watch, pairs: Sequence[tuple[Event, Output, Output]], tries: Sequence[int]
) -> tuple[Mapping[str, Verdict], int, int | None]:
    """The rounds of the first of the tries that is found, else of the last one; each in a store of its own."""
    verdicts, rounds, every = dict[str, Verdict](), 0, None
    for every in tries or (None,):
        hands = Hands((clock() // watch.width - _ROUNDS) * watch.width)
        with scratch(watch.name, _rule(watch.rule), hands) as store:
            verdicts, rounds = _play(store, watch, hands, pairs, every)
        if CUT in verdicts and verdicts[CUT].decision is Decision.FAIL:
            break
    return verdicts, rounds, every


def _rule(rule: DeploymentRule) -> DeploymentRule:
    """The deployment with the two pretended variants, and nothing to replay."""
    variants = {str(rule.reference): VariantRule(), ITSELF: VariantRule(), CUT: VariantRule()}
    return msgspec.structs.replace(rule, variants=variants)


def _play(
    store: Scratch, watch: Watch, hands: Hands, pairs: Sequence[tuple[Event, Output, Output]], every: int | None
) -> tuple[dict[str, Verdict], int]:
    """Rounds until the cut variant fails, at most so many; the last verdicts of both, and how many rounds it took."""
    verdicts: dict[str, Verdict] = {}
    most = _ROUNDS if every else 4 * _CHUNK
    for first in range(0, most, _CHUNK):
        begin = hands.time
        hands.time += _CHUNK * watch.width
        events = list[Event]()
        for number in range(_CHUNK):
            events += _round(pairs, first + number, begin + number * watch.width, every or EVERY[0])
        store.take(events)
        verdicts |= store.look()
        if CUT in verdicts and verdicts[CUT].decision is Decision.FAIL:
            return verdicts, first + _CHUNK
    return verdicts, most


def _round(pairs: Sequence[tuple[Event, Output, Output]], number: int, time: int, every: int) -> Iterator[Event]:
    """One bucket of pairs under both names."""
    for place, (event, first, second) in enumerate(pairs):
        logged, reference = (first, second) if number % 2 else (second, first)
        whole = _pair(event, f"{number}-{place}", time / 1000 + place * 0.001, reference)
        yield msgspec.structs.replace(whole, id=f"a{whole.id}", variant=ITSELF, output=logged)
        struck = (number * len(pairs) + place) % every == number % every
        yield msgspec.structs.replace(whole, id=f"b{whole.id}", variant=CUT, output=cut(logged) if struck else logged)


def _pair(event: Event, name: str, time: float, reference: Output) -> Event:
    """The event with what its judges and slices look at, and no more of its prompt."""
    asked = (last_user_text(event) or "")[:_PROMPT]
    return msgspec.structs.replace(
        event,
        id=name,
        time=time,
        received_at=None,
        conversation=None,
        turn=None,
        action=None,
        messages=(Message("system", name.partition("-")[2]), Message("user", asked)),
        score=None,
        reference=reference,
        reference_score=None,
    )


def _itself(verdict: Verdict, pairs: int) -> Result:
    alarms = [finding for finding in verdict.findings if finding.kind != "ticket"]
    if verdict.decision is Decision.FAIL or alarms:
        named = ", ".join(sorted({f"{finding.signal} on {finding.slice}" for finding in alarms})) or verdict.reason
        return fail(
            "itself", f"the reference against itself raises an alarm after {pairs:,} pairs: {named}", "see noise"
        )
    return ok(
        "itself", f"the reference against itself: no alarm in {pairs:,} pairs ({verdict.decision}: {verdict.reason})"
    )


def _found(signals: Sequence[Noticed], every: int | None, verdict: Verdict, pairs: int) -> Result:
    """Whether cut answers were found, after how many pairs, by what; or why they cannot be."""
    able = [one for one in signals if one.worse]
    if not able:
        names = ", ".join(one.signal for one in signals if one.judged) or "none of them applies to these prompts"
        said = f"no gating signal notices an answer cut in the middle (looked at: {names})"
        return fail("cut answers", said, f"{_TRUNCATION}, or log scores")
    seen = ", ".join(f"{one.signal} notices {one.worse} of {one.judged}" for one in able)
    if every is None:
        said = f"even every second answer cut stays within the tolerances: {seen}"
        cuts = any(one.signal == "truncation" for one in signals)
        return fail("cut answers", said, f"{'' if cuts else f'{_TRUNCATION}, or '}narrow the tolerances")
    if verdict.decision is not Decision.FAIL:
        return fail(
            "cut answers",
            f"every {_th(every)} answer cut is not found in {pairs:,} pairs: {seen}",
            "narrow the tolerances",
        )
    by = ", ".join(
        sorted({f"{check.signal} on {check.slice}" for check in verdict.checks if check.decision is Decision.FAIL})
    )
    said = f"every {_th(every)} answer cut fails the build after {pairs:,} pairs, by {by}"
    if every != EVERY[0]:
        less = f"every {_th(EVERY[0])} would be within twice the tolerances"
        return warn("cut answers", f"{said}; {less} ({seen})", "narrow the tolerances if that is too much")
    return ok("cut answers", said)


def _th(number: int) -> str:
    return {20: "twentieth", 10: "tenth", 5: "fifth", 2: "second"}[number]
