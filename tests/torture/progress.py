"""Long work in parts, with a line that says where it is and how long it will take."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from tests.torture.counts import Counts

ON_A_TERMINAL_S, IN_A_LOG_S = 1.0, 30.0


@dataclass(frozen=True)
class Part:
    """One kind of torture."""

    name: str
    expected_s: float
    """On two quiet cores; the others' pace corrects it."""
    work: Callable[[Counts], None]


def run_parts(parts: Sequence[Part]) -> list[Counts]:
    """All parts, one after another; one that breaks counts as different and stops no other."""
    results: list[Counts] = []
    began = time.monotonic()
    expected_before_s = 0.0
    for index, part in enumerate(parts, start=1):
        counts = Counts(part.name)
        gone_s = time.monotonic() - began
        pace = gone_s / expected_before_s if expected_before_s else 1.0
        left_s = pace * sum(p.expected_s for p in parts[index:])
        head = f"{index}/{len(parts)} {part.name}"
        started = time.monotonic()
        with _Line(head, counts, began, pace * part.expected_s, left_s):
            try:
                part.work(counts)
            except Exception:
                counts.different += 1
                counts.say(traceback.format_exc())
        expected_before_s += part.expected_s
        for finding in counts.findings:
            print(f"  {part.name}: {finding}", flush=True)
        print(f"{index}/{len(parts)} {counts} ({_clock(time.monotonic() - started)})", flush=True)
        results.append(counts)
    return results


class _Line:
    """`4/11 nemesis, one worker: 2 faults · kill the driver · 6:10 gone, about 14:20 left`.

    On a terminal it is rewritten every second, in a log it comes now and then.
    """

    def __init__(
        self, head: str, counts: Counts, began: float, part_s: float, left_s: float
    ) -> None:
        self._head = head
        self._counts = counts
        self._began = began
        self._part_ends = time.monotonic() + part_s
        self._left_s = left_s
        self._is_over = threading.Event()
        self._is_terminal = sys.stderr.isatty()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()
        if self._is_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _run(self) -> None:
        every_s = ON_A_TERMINAL_S if self._is_terminal else IN_A_LOG_S
        while not self._is_over.wait(every_s):
            before, after = ("\r\x1b[K", "") if self._is_terminal else ("", "\n")
            print(f"{before}{self._text()}", end=after, file=sys.stderr, flush=True)

    def _text(self) -> str:
        now = time.monotonic()
        left_s = max(0.0, self._part_ends - now) + self._left_s
        last = f" · {self._counts.notes[-1]}" if self._counts.notes else ""
        return (
            f"{self._head}: {self._counts.faults} faults{last} · {_clock(now - self._began)} gone, "
            f"about {_clock(left_s)} left"
        )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
