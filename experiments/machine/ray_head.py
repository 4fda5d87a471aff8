"""Notices that Ray is lost: Ray itself would after a minute, and then end this process."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import psutil

HEAD_ASKED_EVERY_S = 2.0
HEAD_PATIENCE_S = 20.0
"""A cluster's head that has not answered for so long is lost."""


def agents_of_ray() -> list[psutil.Process]:
    """The agents of a Ray that this process started, also where their raylet went before them.

    They end with it, but for one that hangs in a Ctrl-C of its own, which a terminal sends to all.
    """
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if not str(process.info["name"]).startswith("ray::"):
                continue
            parent = process.parent()
            is_of_others = (
                parent is not None and parent.name() == "raylet" and parent.ppid() != os.getpid()
            )
            if os.getpgid(process.pid) == os.getpgrp() and not is_of_others:
                found.append(process)
    return found


@dataclass(slots=True)
class RayHead:
    """What Ray is lost without: processes on this machine, and the head of somebody's cluster."""

    processes: tuple[psutil.Process, ...] = ()
    address: tuple[str, int] | None = None
    """Where the head listens; None: it is a child of this process, or nobody asked to watch it."""
    is_ours: bool = False
    """This process started Ray, whose workers inherit its environment."""
    _asked_at: float = field(default_factory=time.monotonic)
    _answered_at: float = field(default_factory=time.monotonic)

    @classmethod
    def of_this_process(cls) -> RayHead:
        below = psutil.Process().children(recursive=True)
        processes = tuple(p for p in below if p.name() in ("gcs_server", "raylet"))
        return cls(processes, is_ours=True)

    @classmethod
    def of_a_cluster(cls, ray: Any) -> RayHead:
        """The head that this process is connected to, and the node's own part of Ray."""
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        node = ray._private.worker.global_worker.node
        socket_name = getattr(node, "raylet_socket_name", None)
        raylets = [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "raylet"
            and any(socket_name and socket_name in word for word in process.info["cmdline"] or ())
        ]
        head = cls(tuple(raylets), (host, int(port)))
        # One that cannot be reached from here, such as behind a proxy, is not watched.
        return head if head._answers() else cls(tuple(raylets))

    def loss(self) -> str | None:
        """What is gone, or None."""
        for process in self.processes:
            try:
                is_there = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
            except psutil.NoSuchProcess:
                is_there = False
            if not is_there:
                return "Ray is lost: one of its processes on this machine is gone"
        if self.address is None or time.monotonic() < self._asked_at + HEAD_ASKED_EVERY_S:
            return None
        self._asked_at = time.monotonic()
        if self._answers():
            self._answered_at = time.monotonic()
        silent_s = time.monotonic() - self._answered_at
        if silent_s < HEAD_PATIENCE_S:
            return None
        host, port = self.address
        return f"Ray is lost: its head at {host}:{port} has not answered for {silent_s:.0f} s"

    def _answers(self) -> bool:
        assert self.address is not None
        try:
            socket.create_connection(self.address, timeout=1.0).close()
        except OSError:
            return False
        return True
