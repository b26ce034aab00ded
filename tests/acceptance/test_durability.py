"""A server killed in the middle of its work has lost nothing that it acknowledged, and has nothing half done."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from promptuary.access import audit
from promptuary.access.credentials import local_caller
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import read_settings
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

ROUNDS = 3
ACKNOWLEDGED_BEFORE_THE_KILL = 40
WRITERS = """
import os, sys, threading
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.access.credentials import local_caller
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import read_settings
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

settings = read_settings(data_dir=sys.argv[1])
database = Database(settings.sql_url)

caller = local_caller(database, wall_clock())

def write(writer):
    number = 0
    while True:
        number += 1
        words = f"{sys.argv[2]} {writer} {number}"
        with database.write() as session:
            unit = UnitOfWork(session, caller, wall_clock, settings)
            made = Registry(unit).register("p", Content(type="text", template=words), labels=("production",))
        os.write(1, f"{made.version.number}\\t{words}\\n".encode())

for writer in range(8):
    threading.Thread(target=write, args=(writer,)).start()
"""


@pytest.mark.acceptance
def test_a_killed_process_loses_nothing_acknowledged_and_leaves_nothing_half_done(sqlite: Database, tmp_path: Path) -> None:
    data, acknowledged = tmp_path / "data", dict[int, str]()
    for turn in range(ROUNDS):
        command = [sys.executable, "-c", WRITERS, str(data), str(turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as writers:
            assert writers.stdout is not None
            try:
                lines = [writers.stdout.readline() for _ in range(ACKNOWLEDGED_BEFORE_THE_KILL)]
            finally:
                os.kill(writers.pid, signal.SIGKILL)
            lines += writers.stdout.readlines()
        assert writers.returncode == -signal.SIGKILL
        for line in lines:
            number, _, words = line.decode().rstrip("\n").partition("\t")
            acknowledged[int(number)] = words
    assert len(acknowledged) >= ROUNDS * ACKNOWLEDGED_BEFORE_THE_KILL

    settings = read_settings(data_dir=data)
    caller = local_caller(sqlite, wall_clock())
    with sqlite.read() as session:
        connection = session.connection()
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        numbers = connection.execute(text("SELECT number FROM version ORDER BY number")).scalars().all()
        newest = connection.execute(text("SELECT newest FROM prompt")).scalar_one()
        moves = connection.execute(text("SELECT count(*) FROM label_move")).scalar_one()
        registry = Registry(UnitOfWork(session, caller, wall_clock, settings))
        lost = [number for number, words in acknowledged.items() if registry.version("p", number).content["template"] != words]
        chain = audit.verify_chain(session, caller.project)
        assert registry.lookup("p").version.number == newest
    assert lost == []
    assert numbers == list(range(1, newest + 1))
    assert moves == newest
    assert (chain.rows, chain.broken_at) == (2 * newest, None)

    with sqlite.write() as session:
        registry = Registry(UnitOfWork(session, caller, wall_clock, settings))
        assert registry.register("p", Content(type="text", template="after")).version.number == newest + 1
