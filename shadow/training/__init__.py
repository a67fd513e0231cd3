"""Trains and measures the small model that the demo and the tests serve. Imported by nothing else."""
