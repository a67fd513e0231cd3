"""Evidence that is valid at every look: pure functions of sealed integer counts, one method a file.

`bets` is the arithmetic all others stand on; `paired` and `check` are the front for gating checks.
"""
