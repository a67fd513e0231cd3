"""One pair on the page: prompt, outputs side by side, where they part, how far the builds are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import parts, plain, words
from dashboard.difference import first_difference

Row = Mapping[str, Any]
TALL = 600
TITLES = {"reference": "Reference", "deployed": "Deployed build, replayed", "logged": "Logged: what the user got"}


def output_text(output: Row) -> str:
    """An output as one text: its words, then its tool calls, a line each."""
    calls = [f"{call.get('name')}({call.get('arguments')})" for call in output.get("tool_calls") or []]
    return "\n".join([str(output.get("text") or ""), *calls]).strip("\n")


def prompt_lines(prompt: Sequence[Row]) -> list[tuple[str, str]]:
    """Role and content of every message."""
    return [(str(each.get("role")), str(each.get("content") or "")) for each in prompt]


def outcome(output: Row, signal: str) -> str | None:
    """What the signal says about an output, in the API's word: ok, bad, a value in [0, 1], or why there is none."""
    value = (output.get("outcomes") or {}).get(signal)
    if value is None:
        return None
    return f"{signal}: {value:.2f}" if isinstance(value, float) else f"{signal}: {str(value).replace('_', ' ')}"


def fidelity(row: Row | None) -> str:
    """How far the deployed build's probabilities are from the reference's."""
    if not row:
        return "Token by token: not compared."
    said = []
    if row.get("mean_kl") is not None:
        said.append(f"mean KL divergence {row['mean_kl']:.3f} nats per token")
    if row.get("same_top") is not None:
        said.append(f"same first choice at {words.share(row['same_top'])} of tokens")
    if row.get("first_divergence") is not None:
        said.append(f"first other choice at token {row['first_divergence'] + 1}")
    return f"Token by token: {', '.join(said)}." if said else "Token by token: not compared."


def show_pair(pair: Row, signal: str) -> None:
    """One pair in a frame of its own."""
    with st.container(border=True):
        slices = ", ".join(plain.name(str(each), 40) for each in pair.get("slices") or [])
        st.text(f"{words.clock(pair['time'])}   slices: {slices or 'none'}   pair {plain.name(str(pair['id']))}")
        if pair.get("text_kept", True):
            _prompt(pair.get("prompt"))
            _outputs(pair, signal)
        else:
            parts.empty("The texts of this pair are not kept: by the plan, or because their time is over.")
            _outcomes(pair, signal)
        st.caption(fidelity(pair.get("fidelity")))


def _prompt(prompt: Sequence[Row] | None) -> None:
    if prompt is None:
        return
    with st.expander("Prompt", icon=":material/chat:"):
        for role, content in prompt_lines(prompt):
            st.text(plain.name(role))
            parts.hostile(content, 240 if len(content) > TALL else None)


def _outcomes(pair: Row, signal: str) -> None:
    for arm, title in TITLES.items():
        if pair.get(arm):
            st.text(f"{title}: {plain.line(outcome(pair[arm], signal) or 'not judged')}")


def _outputs(pair: Row, signal: str) -> None:
    arms = [arm for arm in TITLES if pair.get(arm)]
    if not arms:
        parts.empty("No build's output is kept for this pair.")
        return
    for arm, column in zip(arms, st.columns(len(arms)), strict=True):
        with column:
            st.markdown(f"**{TITLES[arm]}**")
            said = outcome(pair[arm], signal)
            st.caption(plain.markdown(said) if said else "not judged")
            _parted(output_text(pair[arm]), _shared(pair, arm))


def _shared(pair: Row, arm: str) -> str | None:
    """What an output has in common with the reference's beginning; the reference itself is cut as the build's is.

    None where there are no two outputs to compare, or they are equal.
    """
    other = pair.get(arm) if arm != "reference" else pair.get("deployed") or pair.get("logged")
    if not pair.get("reference") or not other:
        return None
    difference = first_difference(output_text(pair["reference"]), output_text(other))
    return difference.shared if difference.position else None


def _parted(text: str, shared: str | None) -> None:
    """A text, cut where the outputs part, with the place said in words."""
    if shared is None:
        parts.hostile(text, 320 if len(text) > TALL else None)
        return
    if shared:
        parts.hostile(shared, 200 if len(shared) > TALL else None)
    st.caption(f"▼ first difference at character {len(shared) + 1}")
    rest = text[len(shared) :]
    parts.hostile(rest or "(ends here)", 320 if len(rest) > TALL else None)
