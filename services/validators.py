"""A team's own checks of outputs: found by name among the installed entry points of `quantwatch.validators`."""

from __future__ import annotations

from importlib.metadata import entry_points

from monitor.signals.validators import register

GROUP = "quantwatch.validators"


def install(name: str) -> str | None:
    """Registers the validator of that name; returns what is wrong with it, if anything.

    The entry point names an object with `name` and `valid`, as `monitor.signals.validators.Validator` says.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        return f"no validator `{name}` is installed; allowed: {', '.join(sorted(found)) or 'none is'}"
    try:
        validator = found[name].load()
    except Exception as error:  # code that is not ours
        return f"validator `{name}` cannot be loaded: {type(error).__name__}"
    if getattr(validator, "name", None) != name or not callable(getattr(validator, "valid", None)):
        return f"validator `{name}` is no validator of that name: it needs `name` and `valid`"
    register(validator)
    return None
