"""The builds that can answer again, and how a plan's rule opens one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from monitor.plan import ArmRule
from shadow.backends.backend import Backend, RemoteBackend, Request, TokenScores
from shadow.backends.recorded import RecordedBackend
from shadow.errors import BackendError
from shadow.ports import Spending

__all__ = ["PACKAGED", "Backend", "RecordedBackend", "RemoteBackend", "Request", "TokenScores", "open_backend"]

PACKAGED = "quantwatch-small"
_DATA = Path(__file__).parent.parent / "data" / "model"


def open_backend(
    rule: ArmRule,
    base: Path = Path(),
    environment: Mapping[str, str] | None = None,
    spending: Spending | None = None,
) -> Backend:
    """Opens the build that a rule names; relative paths start at `base`, `quantwatch-small` is the packaged model.

    `environment` holds the tokens of servers; `spending` counts what they cost, without it no limit a day is kept.
    Only the transformers backend imports torch (seconds). Raises `BackendError` if the build cannot be opened.
    """
    if rule.backend == "openai":
        from shadow.backends.openai import OpenAIBackend

        return OpenAIBackend.open(rule, environment or {}, spending)
    path = _DATA if rule.model == PACKAGED else base / rule.model
    if rule.backend == "recorded":
        return RecordedBackend.read(path)
    try:
        from shadow.backends.transformers import TransformersBackend
    except ImportError as error:
        raise BackendError(f"{error.name} is missing: install quantwatch[shadow]") from None
    name = f"{rule.model}@{rule.quantization or rule.dtype}"
    return TransformersBackend.load(path, dtype=rule.dtype, quantization=rule.quantization, name=name)
