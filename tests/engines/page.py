"""Writes what the last `make test-engines` measured into docs/engines-llamacpp.md: `python -m tests.engines.page`."""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path

import msgspec

from tests.engines.servers import ROOT, command
from tests.engines.story import BUILDS, FOLDER, REFERENCE, Build, Json, Story

DOCUMENT = ROOT / "docs" / "engines-llamacpp.md"
ROUTES = ("tools", "codes", "order", "list", "chat", "refusal")


def written(document: str, story: Story) -> str:
    """The document with every generated part of this story; a part that the document names must be known."""
    parts = _parts(story)
    return re.sub(
        r"<!-- generated: (.+?) -->.*?<!-- end -->",
        lambda found: f"<!-- generated: {found[1]} -->\n\n{parts[found[1]]}\n\n<!-- end -->",
        document,
        flags=re.DOTALL,
    )


def _parts(story: Story) -> dict[str, str]:
    steps = {step.command.removeprefix("quantwatch "): _printed(step.command, step.printed) for step in story.steps}
    forecast = _first_build(_starting(steps, "plan check"))
    by_word = {"dry run": _starting(steps, "ingest", "--dry-run"), "plan check": forecast}
    by_word |= {"doctor": _starting(steps, "doctor"), "shadow": _starting(steps, "shadow")}
    by_word |= {
        "ingest": next(text for words, text in steps.items() if words.startswith("ingest") and "dry" not in words)
    }
    by_word |= {f"verdict {name}": _starting(steps, f"verdict {name}") for name in BUILDS}
    return by_word | {
        "results": _results(story),
        "truth": _truth(story),
        "alike": "{:,} of {:,}".format(*story.as_transformers),
        "filled": _filled(story),
        "serve": _block("sh", f"python {' '.join(command(Path('models/small-q8_0.gguf'), 8103))}"),
        "waits": _waits(story),
    }


def _starting(steps: dict[str, str], start: str, ending: str = "") -> str:
    return next(text for words, text in steps.items() if words.startswith(start) and words.endswith(ending))


def _first_build(forecast: str) -> str:
    """The forecast without the builds after the first."""
    first, rest = re.split(r"\n\n(?=\S+: [\d,]+ units and )", forecast)[:2]
    return f"{first}\n\n{rest.removesuffix('```').rstrip()}\n[… and so on for the other builds]\n```"


def _block(kind: str, text: str) -> str:
    return f"```{kind}\n{text.rstrip()}\n```"


def _printed(words: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.replace(f"{ROOT}/", "").splitlines())
    return _block("", f"$ {words}\n{lines}")


def _filled(story: Story) -> str:
    """What a person changed in the plan that `plan init` wrote."""
    first = story.step("plan init").printed.splitlines()
    diff = [*unified_diff(first, story.plan.splitlines(), lineterm="", n=0)][2:]
    return _block("diff", "\n".join(line for line in diff if not line.startswith("@@")))


def _results(story: Story) -> str:
    head = "| build | bytes | verdict | fails on | harm there, points | blame | noise floor |"
    return "\n".join([head, "|---" * 7 + "|", *(_result(name, story) for name in BUILDS)])


def _result(name: str, story: Story) -> str:
    verdict = story.verdicts[name]
    failed = [check for check in verdict["checks"] if check["decision"] == "fail"]
    where = "; ".join(f"`{check['slice']}` × {check['signal']}" for check in failed) or "–"
    harm = "; ".join(_interval(check["harm"]) for check in failed) or "–"
    blames = [check["blame"] for check in failed if check["blame"]]
    causes = ", ".join(dict.fromkeys(blame["cause"] for blame in blames)) or "–"
    floors = ", ".join(
        dict.fromkeys(f"{blame['noise_floor']:.1%}" for blame in blames if blame["noise_floor"] is not None)
    )
    size = f"{story.bytes[name]:,}"
    return f"| {name} | {size} | **{verdict['decision']}** | {where} | {harm} | {causes} | {floors or '–'} |"


def _interval(harm: Json) -> str:
    return f"{harm['estimate'] * 100:+.1f} ({harm['lower'] * 100:+.1f} to {harm['upper'] * 100:+.1f})"


def _truth(story: Story) -> str:
    head = "| build | " + " | ".join(ROUTES) + " |\n|---" + "|---" * len(ROUTES) + "|"
    return "\n".join([head, *(_true(name, story.builds[name]) for name in (REFERENCE, *BUILDS))])


def _true(name: str, build: Build) -> str:
    cells = []
    for route in ROUTES:
        right, of = build.right[route]
        other = build.other.get(route)
        cells.append(f"{right / of:.3f}" + (f" / {other[0] / other[1]:.3f}" if other else ""))
    return f"| {name} | {' | '.join(cells)} |"


def _waits(story: Story) -> str:
    """How long each command took; of several verdicts the first, which seals and judges all builds."""
    took: dict[str, float] = {}
    for step in story.steps:
        took.setdefault(re.sub(r" (--log )?small-\w+(\.jsonl)?| --as-of end", "", step.command), step.seconds)
    rows = [f"| `{words}` | {seconds:,.0f} s |" for words, seconds in took.items()]
    return "\n".join(["| command | took |", "|---|---|", *rows])


def main() -> None:
    """Rewrites the document's generated parts."""
    story = msgspec.json.decode((FOLDER / "story.json").read_bytes(), type=Story)
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), story), encoding="utf-8")


if __name__ == "__main__":
    main()
