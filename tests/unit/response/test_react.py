"""What looks do to alerts: latching, grouping, silences, reopening."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Finding
from monitor.response.alerts import Alert, State, Word, edit
from monitor.response.react import Reaction, react
from monitor.response.silences import Silence
from tests.unit.response.conftest import make_finding

Make = Callable[..., Finding]
SILENCE = Silence(7, "chat", None, None, None, at=0, until=500, by="anna", comment="deploying")


def look(alerts: Sequence[Alert], findings: Sequence[Finding], now: int, **how: Any) -> list[Alert]:
    return list(react(alerts, findings, how.pop("silences", ()), now, **how).alerts.values())


def words(alert: Alert) -> list[str]:
    return [str(t.word) for t in alert.history]


def by_hand(alerts: Sequence[Alert], name: str, word: Word, now: int) -> list[Alert]:
    edited = [edit(a, word, now, "anna", "seen") if a.id == name else a for a in alerts]
    return [a for a in edited if isinstance(a, Alert)]


def test_a_finding_opens_one_alert_and_the_same_look_again_nothing(finding: Make) -> None:
    first = look([], [finding()], 10)
    assert words(first[0]) == ["opened", "notified"]
    assert look(first, [finding()], 20) == first


def test_a_fail_latches_when_the_finding_is_gone(finding: Make) -> None:
    assert look(look([], [finding()], 10), [], 20)[0].state is State.OPEN


def test_a_ticket_resolves_when_the_finding_is_gone_but_not_by_a_stale_look(finding: Make) -> None:
    opened = look([], [finding(kind="ticket")], 10)
    assert look(opened, [], 20, fresh=False) == opened
    gone = look(opened, [], 30)[0]
    assert words(gone) == ["opened", "notified", "resolved", "concluded"]


def test_a_ticket_that_comes_back_is_a_new_alert(finding: Make) -> None:
    alerts = look(look([], [finding(kind="ticket")], 10), [], 20)
    alerts = look(alerts, [finding(kind="ticket")], 30)
    assert [a.id.partition("-")[2] for a in alerts] == ["", "2"]
    assert alerts[1].find(Word.NOTIFIED)


def test_a_fail_resolves_when_the_variant_no_longer_serves_and_opens_anew_when_it_is_back(finding: Make) -> None:
    alerts = look(look([], [finding()], 10), [finding()], 20, serving=False)
    assert alerts[0].state is State.RESOLVED
    assert len(look(alerts, [finding()], 30, serving=False)) == 1
    back = look(alerts, [finding()], 40)
    assert [a.state for a in back] == [State.RESOLVED, State.OPEN]


def test_what_a_person_resolved_stays_so_while_the_same_evidence_lasts(finding: Make) -> None:
    alerts = look([], [finding()], 10)
    alerts = by_hand(alerts, alerts[0].id, Word.RESOLVED, 20)
    assert [a.state for a in look(alerts, [finding()], 30)] == [State.RESOLVED]
    cleared = look(alerts, [], 40)
    assert len(look(cleared, [finding()], 50)) == 2


def test_one_page_a_variant(finding: Make) -> None:
    alerts = look([], [finding(), finding(slice="tools")], 10)
    alerts = look(alerts, [finding(), finding(slice="tools"), finding(kind="change", signal="refusal")], 20)
    assert sorted(words(a)[-1] for a in alerts) == ["grouped", "grouped", "notified"]


def test_tickets_of_two_signals_are_two_notifications_and_none_of_the_page(finding: Make) -> None:
    tickets = [finding(kind="ticket", signal="correction", slice=part) for part in ("all", "json")]
    alerts = look([], [finding(), *tickets, finding(kind="ticket", signal="total")], 10)
    assert sorted(words(a)[-1] for a in alerts) == ["grouped", "notified", "notified", "notified"]


def test_the_end_is_told_once_when_the_whole_group_is_over(finding: Make) -> None:
    both = [finding(), finding(slice="tools")]
    alerts = look([], both, 10)
    leader = next(a for a in alerts if a.find(Word.NOTIFIED))
    alerts = look(by_hand(alerts, leader.id, Word.RESOLVED, 20), both, 30)
    assert not any(a.find(Word.CONCLUDED) for a in alerts)
    other = next(a for a in alerts if a.id != leader.id)
    alerts = look(by_hand(alerts, other.id, Word.RESOLVED, 40), both, 50)
    assert [a.id for a in alerts if a.find(Word.CONCLUDED)] == [leader.id]


def test_no_second_page_while_a_grouped_alert_of_the_group_is_open(finding: Make) -> None:
    alerts = look([], [finding(), finding(slice="tools")], 10)
    leader = next(a for a in alerts if a.find(Word.NOTIFIED))
    alerts = by_hand(alerts, leader.id, Word.RESOLVED, 20)
    alerts = look(alerts, [finding(), finding(slice="tools"), finding(slice="long")], 30)
    assert [words(a)[-1] for a in alerts if a.slice == "long"] == ["grouped"]


def test_a_silence_mutes_and_its_end_notifies_what_is_still_open(finding: Make) -> None:
    alerts = look([], [finding()], 10, silences=[SILENCE])
    assert words(alerts[0]) == ["opened", "silenced"]
    assert look(alerts, [finding()], 499, silences=[SILENCE]) == alerts
    assert words(look(alerts, [finding()], 500, silences=[SILENCE])[0])[-1] == "notified"


def test_a_silence_of_one_slice_lets_another_page(finding: Make) -> None:
    narrow = Silence(8, "chat", "int4", "json", None, at=0, until=500, by="anna", comment="known")
    alerts = look([], [finding(), finding(slice="tools")], 10, silences=[narrow])
    assert {a.slice: words(a)[-1] for a in alerts} == {"json": "silenced", "tools": "notified"}


def test_what_is_resolved_under_a_silence_is_never_sent(finding: Make) -> None:
    alerts = look([], [finding(kind="ticket")], 10, silences=[SILENCE])
    alerts = look(look(alerts, [], 20, silences=[SILENCE]), [], 600, silences=[SILENCE])
    assert not any(a.find(Word.NOTIFIED) or a.find(Word.CONCLUDED) for a in alerts)


kinds = st.sampled_from(["fail", "change", "ticket"])
somethings = st.builds(
    lambda kind, part: make_finding(kind=kind, slice=part), kinds, st.sampled_from(["all", "json", "tools"])
)
rounds = st.lists(st.tuples(st.lists(somethings, max_size=4), st.booleans(), st.booleans()), max_size=12)


@given(rounds)
def test_repeating_any_look_changes_nothing_and_groups_have_one_open_notification(
    history: list[tuple[list[Finding], bool, bool]],
) -> None:
    alerts: list[Alert] = []
    for now, (findings, serving, fresh) in enumerate(history):
        once: Reaction = react(alerts, findings, [SILENCE], now * 100, serving=serving, fresh=fresh)
        alerts = list(once.alerts.values())
        again = react(alerts, findings, [SILENCE], now * 100, serving=serving, fresh=fresh)
        assert list(again.alerts.values()) == alerts
        assert not again.opened
        open_groups = [a.group for a in alerts if a.find(Word.NOTIFIED) and a.state is not State.RESOLVED]
        assert len(open_groups) == len(set(open_groups))
        assert len({a.id for a in alerts}) == len(alerts)
