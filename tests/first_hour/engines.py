"""Two servers that answer a public study's prompts as two of its systems did, in OpenAI's protocol.

python -m tests.first_hour.engines

They stand in for a reader's own servers: `mistralinstruct` on port 8001, `mistralguard` on port 8002. Until stopped.
"""

from __future__ import annotations

import argparse
import signal
from contextlib import ExitStack

from tests.acceptance.xstest import rows
from tests.support.engine import Answer, Engine, Json

REFERENCE, SERVED = "mistralinstruct", "mistralguard"
PORTS = (8001, 8002)
UNKNOWN = "That prompt is not in the study."


def prompts() -> list[str]:
    """The study's prompts, in a fixed, mixed order."""
    return [row["prompt"] for row in rows()]


def answers(system: str) -> Answer:
    """What a system answered in the study, by the last message of a request."""
    known = {row["prompt"]: row["systems"][system]["completion"] for row in rows()}

    def answer(body: Json) -> str:
        return known.get(body["messages"][-1]["content"], UNKNOWN)

    return answer


def engine(system: str, port: int = 0, **also: object) -> Engine:
    """A server that answers as a system did. The study has no probabilities, so it gives none."""
    return Engine(answers(system), model=system, logprobs=False, port=port, **also)  # type: ignore[arg-type]


def main() -> None:
    """Serves both until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", type=int, nargs=2, default=PORTS, help="of the reference and of the served system")
    ports = parser.parse_args().ports
    with ExitStack() as running:
        for system, port in zip((REFERENCE, SERVED), ports, strict=True):
            print(f"{system} answers at {running.enter_context(engine(system, port)).url}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
