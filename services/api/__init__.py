"""The HTTP API: one router file per resource, JSON for everything, also for errors."""
