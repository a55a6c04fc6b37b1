"""The database's tables. What a person wrote or where they can be reached is sealed under their own key.

Times are seconds since 1970 (UTC) as doubles; structured values are JSON text. Ids are never used twice,
not even after a deletion: a number in an old chat button must not point at someone else's picture.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_Id = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER counts up by itself in SQLite


def _table(name: str, *columns: Any) -> Table:
    return Table(name, metadata, Column("id", _Id, primary_key=True), *columns, sqlite_autoincrement=True)


def _owner() -> Column[Any]:
    return Column("account_id", _Id, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True)


accounts: Final = _table(
    "accounts",
    Column("token", String(32), nullable=False, unique=True),  # what files and logs know an account by
    Column("wrapped_key", LargeBinary, nullable=True),  # NULL: destroyed
    Column("language", String(16), nullable=False, server_default=text("''")),
    Column("keep_days", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("forgetting_at", Double, nullable=True),
)

addresses: Final = _table(
    "addresses",
    _owner(),
    Column("platform", String(16), nullable=False),
    Column("lookup", String(64), nullable=False),  # HMAC of platform and user id
    Column("sealed", LargeBinary, nullable=False),  # the user id and chat to write to
    Column("reachable", Boolean, nullable=False, server_default=true()),
    UniqueConstraint("platform", "lookup"),
)

blocks: Final = _table(  # the operator's block list outlives a deletion, so it holds the HMAC alone
    "blocks",
    Column("platform", String(16), nullable=False),
    Column("lookup", String(64), nullable=False),
    Column("at", Double, nullable=False),
    UniqueConstraint("platform", "lookup"),
)

consents: Final = _table(
    "consents",
    _owner(),
    Column("version", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("withdrawn_at", Double, nullable=True),
)

conversations: Final = _table(
    "conversations",
    _owner(),
    Column("platform", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("version", Integer, nullable=False),  # optimistic lock
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("account_id", "platform"),
)

photos: Final = _table(
    "photos",
    _owner(),
    Column("name", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("facts", Text, nullable=False, server_default=text("'{}'")),  # the verdict
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    UniqueConstraint("account_id", "name"),
)

identities: Final = _table(  # what training learnt of a set of photos
    "identities",
    _owner(),
    Column("digest", String(64), nullable=False),  # of the photos' sha256: the same set is not learnt twice
    Column("folder", String(200), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    UniqueConstraint("account_id", "digest"),
)

jobs: Final = _table(
    "jobs",
    _owner(),
    Column("platform", String(16), nullable=False),
    Column("ref", String(80), nullable=False),  # the caller's word for it: the same ref is the same job
    Column("kind", String(16), nullable=False),
    Column("queue", String(16), nullable=False),
    Column("body", Text, nullable=False),
    Column("units", Integer, nullable=False),
    Column("priority", BigInteger, nullable=False),  # lowest first: fair among accounts, see job_store.place
    Column("state", String(16), nullable=False),  # queued, running, done, failed, cancelled
    Column("attempt", Integer, nullable=False, server_default=text("1")),
    Column("beat", Integer, nullable=False, server_default=text("0")),
    Column("strikes", Integer, nullable=False, server_default=text("0")),
    Column("struck_at", String(80), nullable=False, server_default=text("''")),
    Column("worker", String(120), nullable=False, server_default=text("''")),
    Column("cancel", Boolean, nullable=False, server_default=false()),
    Column("stage", String(40), nullable=False, server_default=text("''")),
    Column("step", Integer, nullable=False, server_default=text("0")),
    Column("total", Integer, nullable=False, server_default=text("0")),
    Column("reason", String(40), nullable=False, server_default=text("''")),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double, nullable=True),
    Column("finished_at", Double, nullable=True),
    UniqueConstraint("account_id", "ref"),
    Index("ix_jobs_queue_state_priority", "queue", "state", "priority"),
)

sittings: Final = _table(
    "sittings",
    _owner(),
    Column("job_id", _Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("folder", String(200), nullable=False),
    Column("facts", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

portraits: Final = _table(
    "portraits",
    _owner(),
    Column("sitting_id", _Id, ForeignKey("sittings.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("job_id", _Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("parent_id", _Id, ForeignKey("portraits.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("file", String(200), nullable=False),
    Column("style", String(80), nullable=False),
    Column("facts", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

outbox: Final = _table(  # a row lives until its effect has taken place
    "outbox",
    _owner(),
    Column("job_id", _Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("queue", String(32), nullable=False, index=True),
    Column("arq_id", String(80), nullable=False, unique=True),
    Column("priority", BigInteger, nullable=False),
    Column("type", String(16), nullable=False),  # `work`, or the type of an event, see jobs.queue.events
    Column("body", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("not_before", Double, nullable=False, server_default=text("0")),
    Column("sent_at", Double, nullable=True, index=True),
)

teams: Final = _table(  # a set that several people are drawn for, see `jobs.storage.teams`
    "teams",
    _owner(),
    Column("platform", String(16), nullable=False),  # where the owner is told
    Column("code", String(16), nullable=False, unique=True),  # who has it may join
    Column("look", String(80), nullable=False),
    Column("details", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("0")),  # of what is released to it; counts up
    UniqueConstraint("account_id"),
)

team_members: Final = _table(
    "team_members",
    _owner(),
    Column("team_id", _Id, ForeignKey("teams.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("portrait_id", _Id, ForeignKey("portraits.id", ondelete="SET NULL"), nullable=True, index=True),  # released
    Column("joined_at", Double, nullable=False),
    UniqueConstraint("account_id"),
)

messages: Final = _table(
    "messages",
    _owner(),
    Column("platform", String(16), nullable=False),
    Column("slot", String(80), nullable=False),  # the card's name, "" for one that is never edited
    Column("sealed", LargeBinary, nullable=False),  # chat and message id
    Column("created_at", Double, nullable=False),
    Index("ix_messages_slot", "account_id", "platform", "slot"),
)

seen_updates: Final = Table(
    "seen_updates",
    metadata,
    Column("platform", String(16), primary_key=True),
    Column("key", String(64), primary_key=True),  # HMAC of the update's id
    Column("at", Double, nullable=False, index=True),
)

workers: Final = Table(
    "workers",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("queue", String(16), primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("seen_at", Double, nullable=False),
)

audit: Final = _table(
    "audit",
    Column("account_id", _Id, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("what", String(40), nullable=False),
    Column("facts", Text, nullable=False),
    Column("at", Double, nullable=False),
)

reports: Final = _table(  # what people wrote to the operator; goes with the account
    "reports",
    _owner(),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("announced_at", Double, nullable=True),  # when the operator's chat was told of it
)

receipts: Final = _table(  # proof of a deletion; names no one
    "receipts",
    Column("account", _Id, nullable=False, unique=True),  # a number that is never given to anyone else
    Column("token", String(32), nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("signature", String(120), nullable=False),
    Column("at", Double, nullable=False),
    Column("swept_at", Double, nullable=True),  # when stragglers on the blob store were looked for again
)

pending_receipts: Final = _table(  # who is to be told that they are forgotten, see `jobs.privacy.pending_receipt`
    "pending_receipts",
    Column("account", _Id, nullable=False),  # no reference: it outlives the account by a moment
    Column("platform", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # a key of its own, wrapped, and what it seals
    Column("created_at", Double, nullable=False),
    UniqueConstraint("account", "platform"),
)
