"""How long until a check is decided, from a sample of the log: what was seen, what is assumed, what follows."""
