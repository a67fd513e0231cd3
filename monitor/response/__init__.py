"""What is done about findings: pure state machines over what the ledger and people said. No I/O, no clock."""
