"""The alert's state machine: total, each word once, resolved is terminal, time never runs back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.response.alerts import Alert, Ruling, State, Word, edit, ruling, state

words = st.sampled_from(list(Word))
steps = st.lists(st.tuples(words, st.integers(0, 10_000)), max_size=40)
BARE = Alert("a", "fail", "chat", "int4", "json", "schema", "worse")


def played(tries: list[tuple[Word, int]]) -> list[Alert]:
    """The alert after each attempt, whether it was allowed or not."""
    alert, seen = BARE, [BARE]
    for word, at in tries:
        after = edit(alert, word, at, "anna", "")
        alert = alert if isinstance(after, Ruling) else after
        seen.append(alert)
    return seen


@given(st.sets(words), words)
def test_every_question_has_an_answer_with_a_reason(happened: set[Word], word: Word) -> None:
    answer = ruling(happened, word)
    assert answer.reason
    assert state(happened) in State
    if word in happened:
        assert not answer.allowed


@given(steps)
def test_no_word_happens_twice_and_the_first_is_opened(tries: list[tuple[Word, int]]) -> None:
    history = played(tries)[-1].history
    assert len({t.word for t in history}) == len(history)
    assert all(t.word is Word.OPENED for t in history[:1])


@given(steps)
def test_resolved_is_terminal(tries: list[tuple[Word, int]]) -> None:
    states = [alert.state for alert in played(tries)]
    assert states == sorted(states, key=list(State).index)
    last = played(tries)[-1]
    if last.state is State.RESOLVED:
        behind = [t.word for t in last.history][[t.word for t in last.history].index(Word.RESOLVED) + 1 :]
        assert set(behind) <= {Word.CONCLUDED, Word.CLEARED}


@given(steps)
def test_time_never_runs_back(tries: list[tuple[Word, int]]) -> None:
    times = [t.at for t in played(tries)[-1].history]
    assert times == sorted(times)


@given(steps)
def test_at_most_one_of_notified_and_grouped(tries: list[tuple[Word, int]]) -> None:
    happened = {t.word for t in played(tries)[-1].history}
    assert not {Word.NOTIFIED, Word.GROUPED} <= happened
    assert Word.CONCLUDED not in happened or Word.NOTIFIED in happened
