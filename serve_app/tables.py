"""The tables of the conversation store, the same on SQLite and PostgreSQL. This file reads and writes nothing."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

tables = MetaData()

sessions = Table(
    "sessions",
    tables,
    Column("session_id", String(64), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("epoch", Integer, nullable=False),
    # Milliseconds since 1970, UTC, here and below.
    Column("lease_until", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False, index=True),
    Column("updated", BigInteger, nullable=False, index=True),
    Column("ended", BigInteger),
    Column("header", Text, nullable=False),  # JSON
)

items = Table(
    "items",
    tables,
    Column("session_id", String(64), ForeignKey("sessions.session_id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("turn", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("cut", Boolean, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    # What the conversation calls it, and its place among the others.
    Column("name", Text, nullable=False, server_default=""),
    Column("place", Float, nullable=False, server_default="0"),
    Column("call_id", Text, nullable=False, server_default=""),
    Column("function", Text, nullable=False, server_default=""),
)

# What a conversation can be taken up from (streaming/recalling.py), while it lasts.
notes = Table(
    "notes",
    tables,
    Column("session_id", String(64), ForeignKey("sessions.session_id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
)

journal = Table(
    "journal",
    tables,
    Column("session_id", String(64), ForeignKey("sessions.session_id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
)

# Where in the journal each reply begins (places.py).
places = Table(
    "places",
    tables,
    Column("session_id", String(64), ForeignKey("sessions.session_id"), primary_key=True),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("n", Integer, nullable=False),
)

# Films of /conversation, for a while (reels.py).
reels = Table(
    "reels",
    tables,
    Column("name", String(64), primary_key=True),
    Column("until_ms", BigInteger, nullable=False, index=True),
    Column("content", LargeBinary, nullable=False),
)
