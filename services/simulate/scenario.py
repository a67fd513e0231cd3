"""The demo's story, told by what the service says: int8 serves, int4 is deployed, found out, and rolled back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.errors import ServiceError

Tell = Callable[[dict[str, Any]], None]
STEP_LIMIT = 600.0
DEPLOY_AT_LATEST = 300.0
RESTORED_FOR = 45.0


class Answers(Protocol):
    """What the scenario asks the running service."""

    def verdict(self, variant: str) -> dict[str, Any]: ...

    def alerts(self) -> list[dict[str, Any]]: ...


class StepLimitError(ServiceError):
    """A step of the demo did not come in time."""


@dataclass(slots=True)
class Scenario:
    """One run. `switch` makes another build serve, as a deployment controller would; `tell` takes state changes."""

    deployment: str
    good: str
    bad: str
    answers: Answers
    switch: Callable[[str], None]
    served: Callable[[], int]
    tell: Tell
    clock: Callable[[], float] = time.monotonic
    step: str = "warm"
    rolled_back_to: str = ""
    done: bool = False
    _began: float = 0.0
    _step_began: float = 0.0
    _told: dict[str, Any] = field(default_factory=dict)
    _alerts: set[str] = field(default_factory=set)
    _last_traffic: float = -1e9

    def begin(self) -> None:
        """The first build starts to serve."""
        self._began = self._step_began = self.clock()
        self.switch(self.good)
        self._say("deploy", variant=self.good)

    def advance(self) -> None:
        """Looks at what the service says and takes the next step when it is time. Call it again and again."""
        now = self.clock()
        if now - self._last_traffic >= 5.0:
            self._last_traffic = now
            self._say("traffic", requests=self.served(), step=self.step)
        verdicts = {variant: self._verdict(variant) for variant in (self.good, self.bad)}
        self._watch_alerts()
        getattr(self, f"_when_{self.step}")(now, verdicts)
        if now - self._step_began > STEP_LIMIT and not self.done:
            raise StepLimitError(f"the step after {self.step!r} did not come within {STEP_LIMIT / 60:.0f} minutes")

    def _when_warm(self, now: float, verdicts: dict[str, dict[str, Any]]) -> None:
        passed = verdicts[self.good]["decision"] == "pass"
        if passed or now - self._began >= DEPLOY_AT_LATEST:
            self._enter("watched", now)
            self.switch(self.bad)
            self._say("deploy", variant=self.bad)

    def _when_watched(self, now: float, verdicts: dict[str, dict[str, Any]]) -> None:
        """The rollback hook: a fail with a page, and a build to go back to."""
        verdict = verdicts[self.bad]
        advice = verdict["recommendation"]
        target = advice["to"]
        if verdict["decision"] == "fail" and self._alerts and advice["action"] == "roll_back" and target:
            self._enter("restored", now)
            self.rolled_back_to = target
            self.switch(target)
            self._say("rollback", variant=self.bad, to=target, blame=_blame(verdict), reason=verdict["reason"])

    def _when_restored(self, now: float, verdicts: dict[str, dict[str, Any]]) -> None:
        """Done when the restored build has a verdict on evidence from after the rollback."""
        verdict = self.answers.verdict(self.rolled_back_to)
        seen_since = (verdict["sealed_until"] or 0.0) - (time.time() - (now - self._step_began))
        if seen_since >= RESTORED_FOR / 3 and now - self._step_began >= RESTORED_FOR and not self.done:
            self.done = True
            self._say_verdict(self.bad, self.answers.verdict(self.bad))
            self._say_verdict(self.rolled_back_to, verdict)

    def _verdict(self, variant: str) -> dict[str, Any]:
        """The service's verdict, told whenever its decision changes."""
        verdict = self.answers.verdict(variant)
        if self._told.get(variant) != verdict["decision"] and verdict["sealed_until"] is not None:
            self._told[variant] = verdict["decision"]
            self._say_verdict(variant, verdict)
        return verdict

    def _watch_alerts(self) -> None:
        for alert in self.answers.alerts():
            if alert["id"] not in self._alerts and alert["kind"] != "ticket":
                self._alerts.add(alert["id"])
                self._say(
                    "alert",
                    variant=alert["variant"],
                    slice=alert["slice"],
                    signal=alert["signal"],
                    blame=(alert["blame"] or {}).get("cause"),
                    sentence=alert["sentence"],
                )

    def _say_verdict(self, variant: str, verdict: dict[str, Any]) -> None:
        told = {"decision": verdict["decision"], "reason": verdict["reason"], "blame": _blame(verdict)}
        do = verdict["recommendation"]
        self._say(
            "verdict", variant=variant, slice=(verdict["worst"] or [None])[0], **told, recommendation=do["action"]
        )

    def _enter(self, step: str, now: float) -> None:
        self.step = step
        self._step_began = now

    def _say(self, event: str, **what: Any) -> None:
        self.tell({"t": round(self.clock() - self._began, 1), "event": event, **what})


def _blame(verdict: dict[str, Any]) -> str | None:
    """The cause of the worst failing check."""
    causes = [f["blame"]["cause"] for f in verdict["findings"] if f["blame"] and f["kind"] == "fail"]
    return next((cause for cause in causes if cause != "undetermined"), causes[0] if causes else None)
