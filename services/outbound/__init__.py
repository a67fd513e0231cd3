"""Notifications leave here: one dispatcher over the outbox, one file per kind of destination."""
