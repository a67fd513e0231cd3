"""Seeded runs in which everything that can die is killed at random moments: `make test-kill`."""
