"""What a stream worker is told."""

from __future__ import annotations

from dataclasses import dataclass

from services.stream import rejects


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Where it reads and how it batches. Times are seconds.

    `group` is Kafka's consumer group: workers of one group share the partitions. `feedback_wait` is how much later than
    feedback its request may come in. `skip_gaps` goes on where the log begins, once what is missing is on record.
    """

    bootstrap: str
    requests: str
    feedback: str | None = None
    group: str = "quantwatch"
    batch_records: int = 20_000
    batch_bytes: int = 64 * 1024 * 1024
    batch_seconds: float = 0.5
    feedback_wait: float = 10.0
    session_timeout: float = 30.0
    reject_limit: int = rejects.DEFAULT
    skip_gaps: bool = False

    @property
    def topics(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.requests,) if self.feedback is None else (self.requests, self.feedback)
