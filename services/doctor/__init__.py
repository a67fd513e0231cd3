"""Whether an installation can find anything, before its silence is trusted: checks with reasons, nothing kept."""
