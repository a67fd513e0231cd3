"""Kafka topics as sources: Faust carries runs of records to the same step, behind the same fence."""
