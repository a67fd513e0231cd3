"""Numbers as people read them."""

from __future__ import annotations


def percent(share: float) -> str:
    """A share; none is called all or nothing that is not."""
    hundredths = 100 * share
    if 0 < hundredths < 0.1:
        return "<0.1 %"
    if 99.9 < hundredths < 100:
        return ">99.9 %"
    return f"{hundredths:.0f} %" if hundredths in (0, 100) else f"{hundredths:.1f} %"


def rounded(number: float) -> str:
    """A number of which only two digits are meant."""
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 10 else f"{number:.2g}"
