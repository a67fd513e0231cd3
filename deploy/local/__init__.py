"""A Kafka broker and a PostgreSQL on this machine, for a first try and for tests: `python -m deploy.local COMMAND…`."""
