"""Signals: from an event, or one arm's output, to one small integer per definition. One family a file."""
