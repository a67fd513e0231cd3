"""A commented first plan, from what a log shows: what `quantwatch plan init` writes."""
