"""PostgreSQL of this machine, started as the image docker.io/library/postgres does it: by the same variables.

An empty folder becomes a cluster with one user, who has a password, and one database. This file starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cluster.layout.box import GIVEN, PATH, Box, Mount

NAME = "postgres"
STORE = f"postgresql://avatar:{GIVEN['PGPASSWORD']}@{NAME}/avatar"
"""Where the conversations are, for whoever is told nothing else."""
USUAL = {
    "POSTGRES_USER": "avatar",
    "POSTGRES_DB": "avatar",
    "POSTGRES_PASSWORD": GIVEN["PGPASSWORD"],
    "PGDATA": "/var/lib/postgresql/data/16",
}
"""Of one that an operator of compose brings."""
INIT = (
    'printf %s "$POSTGRES_PASSWORD" >/password && chown postgres /password'
    ' && install -d -o postgres -m 700 "$PGDATA"'
    ' && runuser -u postgres -- initdb -D "$PGDATA" -U "$POSTGRES_USER" -A scram-sha-256 --pwfile=/password --no-sync'
    ' && echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"'
    ' && echo "CREATE DATABASE $POSTGRES_DB" | runuser -u postgres -- postgres --single -D "$PGDATA" postgres'
)
START = (
    f'[ -s "$PGDATA/PG_VERSION" ] || {{ {INIT}; }} && install -d -o postgres /var/run/postgresql'
    " && exec runuser -u postgres -- postgres -D \"$PGDATA\" -c 'listen_addresses=*' -c fsync=off"
    " -c unix_socket_directories=/var/run/postgresql"
)


def database(
    programs: Path,
    environment: Mapping[str, str] = USUAL,
    mounts: tuple[Mount, ...] = (Mount("/var/lib/postgresql/data"),),
    healthy: tuple[str, ...] = ("pg_isready", "-U", "avatar", "-d", "avatar"),
    name: str = NAME,
) -> Box:
    """The box; ``programs`` is the folder of PostgreSQL's own. It forgets everything with the run."""
    path = {"PATH": f"{programs}:{PATH}"}
    return Box(name, ("sh", "-c", START), {**environment, **path}, mounts, healthy=healthy, grace_s=60.0)
