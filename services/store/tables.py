"""The tables, as SQLAlchemy Core. Times are milliseconds since the epoch; hashes are signed 64-bit integers.

Nothing here is an object model: repositories map rows to the frozen values of `monitor`.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives out increasing row ids for INTEGER keys only.
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Big = sa.BigInteger
# Ordered by bytes everywhere: by a language's order the two databases would differ.
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Blob = sa.LargeBinary


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, primary_key=True, nullable=False)


plan = sa.Table(
    "plan", metadata, _key("digest"), sa.Column("body", Text, nullable=False), sa.Column("at", Big, nullable=False)
)

layout = sa.Table("layout", metadata, _key("digest"), sa.Column("body", Blob, nullable=False))

position = sa.Table(
    "position",
    metadata,
    _key("source"),
    sa.Column("incarnation", Text, nullable=False),
    sa.Column("next", Big, nullable=False),
    sa.Column("mark", Text, nullable=False),
    sa.Column("watermark", Big, nullable=False),
    sa.Column("closed", sa.Boolean, nullable=False),
    # Totals of what its runs held, for people; nothing is decided by them.
    sa.Column("accepted", Big, nullable=False, server_default="0"),
    sa.Column("duplicates", Big, nullable=False, server_default="0"),
    sa.Column("quarantined", Big, nullable=False, server_default="0"),
)

delta = sa.Table(
    "delta",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("deployment", Text, nullable=False),
    sa.Column("grp", Text, nullable=False),
    sa.Column("bucket", Big, nullable=False),
    sa.Column("source", Text, nullable=False),
    sa.Column("run_end", Big, nullable=False),
    sa.Column("layout", Text, nullable=False),
    sa.Column("body", Blob, nullable=False),
    sa.Index("ix_delta_deployment_grp_bucket", "deployment", "grp", "bucket"),
)

fact = sa.Table(
    "fact",
    metadata,
    _key("deployment"),
    _key("variant"),
    _key("slice"),
    _key("signal"),
    _key("definition"),
    _key("population"),
    sa.Column("level", sa.Integer, primary_key=True, nullable=False),
    sa.Column("bucket", Big, primary_key=True, nullable=False),
    sa.Column("counts", Blob, nullable=False),
    sa.Index("ix_fact_deployment_bucket", "deployment", "bucket"),
    sqlite_with_rowid=False,
)

seal = sa.Table(
    "seal",
    metadata,
    _key("deployment"),
    _key("grp"),
    sa.Column("first_open", Big, nullable=False),
    sa.Column("at", Big, nullable=False),
)

seen = sa.Table(
    "seen",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("source", Text, nullable=False),
    sa.Column("expires", Big, nullable=False, index=True),
    sa.Column("body", Blob, nullable=False),
)

tail = sa.Table(
    "tail",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("source", Text, nullable=False),
    sa.Column("deployment", Text, nullable=False),
    sa.Column("expires", Big, nullable=False, index=True),
    sa.Column("body", Blob, nullable=False),
)

open_join = sa.Table(
    "open_join",
    metadata,
    _key("deployment"),
    sa.Column("request", Big, primary_key=True, nullable=False, autoincrement=False),
    sa.Column("bucket", Big, nullable=False),
    sa.Column("variant", Text, nullable=False),
    sa.Column("mask", Blob, nullable=False),
    sa.Column("event_hash", Big, nullable=False),
    sa.Column("expires", Big, nullable=False, index=True),
    # Which source's memory it belongs to; joins that are older than this column name none.
    sa.Column("source", Text, nullable=False, server_default=""),
)

pair = sa.Table(
    "pair",
    metadata,
    _key("pair_id"),
    sa.Column("deployment", Text, nullable=False),
    sa.Column("variant", Text, nullable=False),
    sa.Column("bucket", Big, nullable=False),
    sa.Column("mask", Blob, nullable=False),
    sa.Column("layout", Text, nullable=False),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("event_hash", Big, nullable=False),
    sa.Column("prompt_hash", Big, nullable=False),
    sa.Column("sealed", sa.Boolean, nullable=False),
    sa.Index("ix_pair_deployment_bucket", "deployment", "bucket"),
    sa.Index("ix_pair_deployment_variant_bucket", "deployment", "variant", "bucket"),
)

arm = sa.Table(
    "arm",
    metadata,
    _key("pair_id"),
    _key("arm"),
    sa.Column("outcomes", Text, nullable=False),
    sa.Column("fidelity", Text),
    sa.Column("seconds", sa.Float),
    sa.Column("at", Big, nullable=False),
)

pair_text = sa.Table(
    "pair_text",
    metadata,
    _key("pair_id"),
    _key("part"),
    sa.Column("body", Blob, nullable=False),
    sa.Column("expires", Big, nullable=False, index=True),
)

queue = sa.Table(
    "queue",
    metadata,
    _key("pair_id"),
    sa.Column("deployment", Text, nullable=False),
    sa.Column("variant", Text, nullable=False),
    sa.Column("event", Blob, nullable=False),
    sa.Column("arms", Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("worker", Text),
    sa.Column("leased_until", Big, nullable=False, index=True),
    sa.Column("at", Big, nullable=False),
    sa.Index("ix_queue_at_pair_id", "at", "pair_id"),
)

spending = sa.Table(
    "spending",
    metadata,
    _key("arm"),
    sa.Column("day", Big, primary_key=True, nullable=False, autoincrement=False),
    sa.Column("tokens", Big, nullable=False),
    sa.Column("micros", Big, nullable=False),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("source", Text, nullable=False),
    sa.Column("position", Big, nullable=False),
    sa.Column("reason", Text, nullable=False, index=True),
    sa.Column("detail", Text, nullable=False),
    sa.Column("body", Blob),
    sa.Column("at", Big, nullable=False),
    sa.Column("expires", Big, nullable=False, index=True),
    # Of a message: its key, and when the record was written to the topic of those that were set aside.
    sa.Column("key", Blob),
    sa.Column("relayed", Big),
    sa.Index(
        "ix_quarantine_waiting",
        "id",
        sqlite_where=sa.text("relayed IS NULL"),
        postgresql_where=sa.text("relayed IS NULL"),
    ),
)

gap = sa.Table(
    "gap",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("source", Text, nullable=False),
    sa.Column("position", Big, nullable=False),
    sa.Column("until", Big),
    sa.Column("reason", Text, nullable=False),
    sa.Column("at", Big, nullable=False),
    sa.UniqueConstraint("source", "position", "reason"),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("received_at", Big, nullable=False),
    sa.Column("body", Blob, nullable=False),
    sqlite_autoincrement=True,
)

epoch = sa.Table(
    "epoch",
    metadata,
    _key("deployment"),
    sa.Column("bucket", Big, primary_key=True, nullable=False, autoincrement=False),
    sa.Column("factor", sa.Float, nullable=False),
)

look = sa.Table(
    "look",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("deployment", Text, nullable=False),
    sa.Column("variant", Text, nullable=False),
    sa.Column("cutoff", Big, nullable=False),
    sa.Column("plan", Text, nullable=False),
    sa.Column("decision", Text, nullable=False),
    sa.Column("verdict", Text, nullable=False),
    sa.Column("at", Big, nullable=False),
    sa.UniqueConstraint("deployment", "variant", "cutoff", "plan"),
    sa.Index("ix_look_variant_deployment", "variant", "deployment"),
)

alert = sa.Table(
    "alert",
    metadata,
    _key("id"),
    sa.Column("deployment", Text, nullable=False, index=True),
    sa.Column("variant", Text, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("finding", Text, nullable=False),
    sa.Column("recommendation", Text, nullable=False),
    sa.Column("opened_at", Big, nullable=False),
    # How many transitions it has: who writes the next one must have seen them all.
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
)

# One row a deployment: the evaluations so far, and the last one. Each moves it, so that none works on old rows.
evaluation = sa.Table(
    "evaluation",
    metadata,
    _key("deployment"),
    sa.Column("turn", Big, nullable=False),
    sa.Column("at", Big, nullable=False),
    sa.Column("worker", Text, nullable=False),
)

transition = sa.Table(
    "transition",
    metadata,
    _key("alert"),
    _key("transition"),
    sa.Column("at", Big, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("reason", Text, nullable=False),
)

silence = sa.Table(
    "silence",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("deployment", Text, nullable=False),
    sa.Column("variant", Text),
    sa.Column("slice", Text),
    sa.Column("signal", Text),
    sa.Column("until", Big, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("comment", Text, nullable=False),
    sa.Column("at", Big, nullable=False),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("alert", Text, nullable=False),
    sa.Column("transition", Text, nullable=False),
    sa.Column("destination", Text, nullable=False),
    sa.Column("body", Text, nullable=False),
    sa.Column("at", Big, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", Big, nullable=False, index=True),
    sa.Column("state", Text, nullable=False),
    sa.Column("error", Text),
    sa.UniqueConstraint("alert", "transition", "destination"),
)
