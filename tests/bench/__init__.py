"""Benchmarks: each compares side by side in one run and writes its figures to `docs/benchmarks`."""
