"""How soon, and how often for nothing: our evidence beside other detectors, on the same seeded streams."""
