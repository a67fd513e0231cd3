"""What is known of an arm, whoever it is, and the short conversations by which arms are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from monitor.model import Message
from monitor.traits import Traits
from services.bootstrap import inspect
from services.doctor.engine import Engine, Probes

TEXTS: Final = (
    "Where is my parcel? I ordered two pairs of shoes on the 3rd of May.",
    '{"sku": "A-1029", "n": 3.14159, "open": false}  // 1,024 \t rows',
    "Übergrößen, naïve façade — 東京で会いましょう 🙂, привет",
)
"""Words, numbers and marks, and other scripts: what tokenizers tell themselves apart by."""
PROBES: Final[Probes] = tuple((Message("user", text),) for text in TEXTS)


def of_engine(engine: Engine, logged: Probes) -> Traits:
    """A server's traits; `logged` are conversations of the log whose prompt tokens are counted, too."""
    return Traits(
        counts=engine.counts((*PROBES, *logged)),
        ids=engine.ids(PROBES),
        rendered=engine.rendered(PROBES),
        template=engine.template(),
        stop=engine.stop(),
        context=engine.context(),
    )


def of_build(backend: Any, logged: Probes) -> Traits:
    """The traits of a build that was opened in this process."""
    found = inspect(backend, (*PROBES, *logged))
    own = len(PROBES)
    return replace(found, ids=found.ids and found.ids[:own], rendered=found.rendered and found.rendered[:own])
