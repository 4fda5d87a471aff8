"""Signals, in processes of their own: the first asks for a stop, the second leaves at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from experiments.errors import ClusterError, StateError
from experiments.ledger.lock import BEAT_NAME, LOCK_NAME
from experiments.machine.crew import CREW_NAME
from experiments.running import supervision
from experiments.running.stopping import StopCause, StopSwitch
from experiments.running.supervision import one_at_a_time, supervise
from experiments.study import resume_study, run_study
from experiments.verdict.verdict import gather_evidence
from experiments.watcher import Silent
from tests.small_studies import a_sweep

ROOT = Path(__file__).parents[3]
DRIVER = """
import sys, time
from pathlib import Path
from experiments.running import supervision
from experiments.running.stopping import StopSwitch
from experiments.running.supervision import supervise

folder, obeys, grace_s = Path(sys.argv[1]), sys.argv[2] == "obeys", float(sys.argv[3])
supervision.GRACE_S = grace_s
switch = StopSwitch(folder)


def work():
    (folder / "working").touch()
    while not (obeys and switch.path.exists()):
        time.sleep(0.02)


def on_stop(cause):
    print("asked by", cause.value, flush=True)


supervise(work, switch, on_stop=on_stop)
sys.exit(switch.cause.exit_code)
"""


def drive(
    folder: Path, manner: str, grace_s: float = 60.0, script: str = DRIVER
) -> subprocess.Popen[str]:
    folder.mkdir()
    driver = subprocess.Popen(
        [sys.executable, "-c", script, str(folder), manner, str(grace_s)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not (folder / "working").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return driver


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)]
)
def test_a_first_signal_asks_for_a_stop_and_gives_its_code(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    driver = drive(tmp_path / "mine", "obeys")
    driver.send_signal(number)
    out, err = driver.communicate(timeout=30)
    assert out.split() == ["asked", "by", number.name]
    assert (driver.returncode, err) == (exit_code, "")


@pytest.mark.slow
def test_an_alarm_that_ray_set_before_a_stop_does_not_end_it(tmp_path: Path) -> None:
    script = DRIVER.replace(
        '    (folder / "working")', '    signal.alarm(60)\n    (folder / "working")'
    )
    script = script.replace("import sys", "import signal, sys")
    script = script.replace("sys.exit(", "print(signal.alarm(0))\nsys.exit(")
    driver = drive(tmp_path / "mine", "obeys", script=script)
    driver.send_signal(signal.SIGTERM)
    out, _ = driver.communicate(timeout=30)
    assert out.splitlines() == ["asked by SIGTERM", "0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "second", "exit_code"),
    [("resume", signal.SIGINT, 130), ("verdict", signal.SIGUSR1, 143)],
)
def test_a_second_signal_leaves_at_once_with_the_command_to_go_on(
    tmp_path: Path, command: str, second: signal.Signals, exit_code: int
) -> None:
    script = DRIVER.replace("StopSwitch(folder)", f"StopSwitch(folder, {command!r})")
    driver = drive(tmp_path / "mine", "does not obey", script=script)
    left = [tmp_path / "mine" / name for name in (LOCK_NAME, BEAT_NAME, CREW_NAME)]
    for path in left:
        path.write_text("{}")
    driver.send_signal(signal.SIGTERM)
    assert driver.stdout is not None
    driver.stdout.readline()
    driver.send_signal(second)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == exit_code
    assert f"stopped at once; go on with: recsweep {command} mine" in err
    assert [path.exists() for path in left] == [True, False, False]
    assert not left[0].read_text()  # whose next driver does not say that this one left no word
    assert not StopSwitch(tmp_path / "mine").path.exists()


@pytest.mark.slow
def test_a_signal_that_ray_gets_too_gives_its_code_and_not_that_of_a_lost_ray(
    tmp_path: Path,
) -> None:
    lost = "lambda: 'Ray is lost' if switch.path.exists() else None"
    script = DRIVER.replace("on_stop=on_stop)", f"on_stop=on_stop, on_poll={lost})")
    driver = drive(tmp_path / "mine", "does not obey", script=script)
    driver.send_signal(signal.SIGTERM)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 143
    assert "Ray is lost; go on with: recsweep resume mine" in err


def test_trials_that_fail_with_a_ray_that_a_signal_took_give_its_code(tmp_path: Path) -> None:
    def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        while not switch.path.exists():
            time.sleep(0.01)
        raise ClusterError("Ray was lost while trials ran")

    switch = StopSwitch(tmp_path)
    with pytest.raises(ClusterError) as caught:
        supervise(work, switch, on_stop=lambda _: None)
    assert caught.value.exit_code == 143


@pytest.mark.slow
def test_who_does_not_come_to_rest_is_left_behind(tmp_path: Path) -> None:
    driver = drive(tmp_path / "mine", "does not obey", grace_s=0.3)
    driver.send_signal(signal.SIGUSR1)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 143
    assert "did not come to rest" in err


@pytest.mark.parametrize("helps", [True, False])
def test_where_the_study_was_meant_to_stop_who_is_late_is_ended_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helps: bool
) -> None:
    """Where that does not help, the run is not taken for one that came to its end."""
    monkeypatch.setattr(supervision, "GRACE_S", 0.3)
    ended = threading.Event()
    exits: list[tuple[str, int]] = []

    def leave(told: str, exit_code: int) -> None:
        exits.append((told.partition(";")[0], exit_code))
        ended.set()

    monkeypatch.setattr(supervision, "_exit_at_once", leave)
    supervise(
        ended.wait,
        StopSwitch(tmp_path),
        on_stop=lambda _: None,
        on_late=ended.set if helps else lambda: None,
        time_left_s=0.0,
    )
    assert exits[:1] == ([] if helps else [("a worker did not come to rest in 1 s", 7)])


GUEST = DRIVER.replace(
    "supervise(work, switch, on_stop=on_stop)",
    """
from experiments.errors import ClusterError
from experiments.running.stopping import as_guest

try:
    with as_guest():
        supervise(work, switch, on_stop=on_stop)
except ClusterError as error:
    print(error.message, flush=True)
    sys.exit(77)
""",
)


@pytest.mark.slow
def test_a_process_that_is_not_ours_outlives_impatience_and_hung_workers(tmp_path: Path) -> None:
    driver = drive(tmp_path / "mine", "does not obey", grace_s=1.0, script=GUEST)
    driver.send_signal(signal.SIGINT)
    assert driver.stdout is not None
    driver.stdout.readline()
    driver.send_signal(signal.SIGINT)
    out, err = driver.communicate(timeout=30)
    assert driver.returncode == 77
    assert "did not come to rest" in out and "rs.resume(" in out
    assert "are being checkpointed" in err


def test_a_process_runs_one_study_at_a_time(ratings_csv: Path, tmp_path: Path) -> None:
    """Whoever comes second is refused before anything is made or started."""
    root = tmp_path / "studies"
    with one_at_a_time():
        for train in (
            lambda: run_study(a_sweep(ratings_csv), root=root, watcher=Silent()),
            lambda: resume_study(root / "other", watcher=Silent()),
            lambda: gather_evidence(root / "other", watcher=Silent()),
        ):
            with pytest.raises(StateError, match="runs a study already"):
                train()
    assert not root.exists()
    with one_at_a_time():
        pass


COMMAND = """
import contextlib, sys, time
from pathlib import Path
from experiments.running.stopping import StopSwitch
from experiments.running.supervision import left_at_once, orderly_signals, supervise

folder, when = Path(sys.argv[1]), sys.argv[2]


def pause(stage):
    if when.startswith(stage):
        (folder / "working").touch()
        time.sleep(1.5)


with orderly_signals() as ending:
    ending.last_words = "not begun  the other"
    pause("before")
    with contextlib.ExitStack() as ray:
        ray.callback(time.sleep, 60 if when == "beside" else 0)
        with left_at_once(folder, lambda: (folder / "released").touch()):
            pause("beside")
    supervise(lambda: None, StopSwitch(folder), on_stop=lambda cause: None)
    pause("after")
    if when == "after, twice":
        time.sleep(60)
    (folder / "report").touch()
    sys.exit(ending.asked_by.exit_code if ending.asked_by else 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)]
)
def test_a_signal_after_the_trials_waits_for_the_report(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    command = drive(tmp_path / "mine", "after", script=COMMAND)
    command.send_signal(number)
    _, err = command.communicate(timeout=30)
    assert (command.returncode, err) == (exit_code, "the report is written first\n")
    assert (tmp_path / "mine" / "report").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_one_before_the_trials_ends_the_command_with_its_code(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = drive(tmp_path / "mine", "before", script=COMMAND)
    command.send_signal(number)
    assert command.communicate(timeout=30) == ("", "stopping\n")
    assert command.returncode == 143
    assert not (tmp_path / "mine" / "report").exists()


@pytest.mark.slow
@pytest.mark.parametrize("is_begun", [True, False])
def test_one_while_ray_starts_does_not_wait_for_it(tmp_path: Path, is_begun: bool) -> None:
    folder = tmp_path / "mine"
    command = drive(folder, "beside", script=COMMAND)
    if is_begun:
        (folder / "sweep.toml").touch()
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=30)
    assert command.returncode == 130 and (folder / "released").exists()
    assert ("go on with: recsweep resume mine" if is_begun else "nothing was begun") in err
    assert err.endswith("\nnot begun  the other\n")


@pytest.mark.slow
def test_a_second_one_does_not_wait_for_the_report(tmp_path: Path) -> None:
    command = drive(tmp_path / "mine", "after, twice", script=COMMAND)
    command.send_signal(signal.SIGTERM)
    assert command.stderr is not None
    command.stderr.readline()
    command.send_signal(signal.SIGTERM)
    command.communicate(timeout=30)
    assert command.returncode == 143
    assert not (tmp_path / "mine" / "report").exists()


def test_the_first_cause_stands_and_an_unknown_one_is_the_commands(tmp_path: Path) -> None:
    switch = StopSwitch(tmp_path)
    assert switch.cause is None
    switch.ask(StopCause.SIGTERM)
    switch.ask(StopCause.COMMAND)
    assert switch.cause is StopCause.SIGTERM
    switch.path.write_text("")
    assert switch.cause is StopCause.COMMAND
