"""A Slurm of one node that a test may break: its daemons are children of the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sinfo", "munge")
CONFIGURATION = """
ClusterName=drill
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MpiDefault=none
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_no_slurm() -> str:
    """Return why no Slurm can be started here; '' if one can."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"needs {', '.join(lacking)} on PATH"
    if os.getuid() != 0:
        return "needs root, to start Slurm's daemons"
    asked = subprocess.run(["munge", "-n"], capture_output=True, check=False)
    return "" if asked.returncode == 0 else "needs a running munged"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for_idle_node(environment: dict[str, str]) -> None:
    for _ in range(120):
        asked = subprocess.run(
            ["sinfo", "-h", "-o", "%T"],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    raise AssertionError(f"Slurm's node is not idle: {asked.stdout}{asked.stderr}")


@contextmanager
def breakable_slurm(folder: Path) -> Iterator[Path]:
    """Run Slurm in a folder, and yield its configuration.

    The process of the node's daemon is in `folder/node`. When a test kills it, it is started again
    after 5 s, and a line is added to `folder/restarts`.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    path, restarts = folder / "slurm.conf", folder / "restarts"
    path.write_text(
        CONFIGURATION.format(folder=folder, controller=free_port(), node=free_port()),
        encoding="utf-8",
    )
    environment = {**os.environ, "SLURM_CONF": str(path)}
    ending = threading.Event()

    def start(*command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def keep_node() -> None:
        while not ending.is_set():
            node = start("slurmd", "-D", "-N", "localhost")
            (folder / "node").write_text(str(node.pid))
            while node.poll() is None and not ending.wait(0.2):
                pass
            if ending.is_set():
                node.terminate()
                node.wait()
            else:
                ending.wait(5)
                with restarts.open("a") as lines:
                    lines.write("started again\n")

    controller = start("slurmctld", "-D")
    keeper = threading.Thread(target=keep_node)
    keeper.start()
    try:
        wait_for_idle_node(environment)
        yield path
    finally:
        ending.set()
        keeper.join()
        controller.terminate()
        controller.wait()
