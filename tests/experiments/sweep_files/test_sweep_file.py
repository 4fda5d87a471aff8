from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.errors import SweepFileError
from experiments.sweep_files.sweep_file import SWEEPS, read_sweep_file, scan_lines

SWEEP = """\
# a comment
name = "mine"
note = \"\"\"
seed = 1
\"\"\"

[search]
trials = 60
pruner = { name = "median" }

[[space.learning_rate]]
when = { optimizer = "adam" }
low = 1e-4
[[space.learning_rate]]
low = 1e-3
  high = 1e-2
[space.dropout]
low.x = 3
"odd key" = 1
"""


def test_the_line_of_every_plain_key_is_found() -> None:
    lines = scan_lines(SWEEP)
    assert lines == {
        ("name",): 2,
        ("note",): 3,
        ("search",): 7,
        ("search", "trials"): 8,
        ("search", "pruner"): 9,
        ("space", "learning_rate", 0): 11,
        ("space", "learning_rate", 0, "when"): 12,
        ("space", "learning_rate", 0, "low"): 13,
        ("space", "learning_rate", 1): 14,
        ("space", "learning_rate", 1, "low"): 15,
        ("space", "learning_rate", 1, "high"): 16,
        ("space", "dropout"): 17,
        ("space", "dropout", "low", "x"): 18,
        ("space", "dropout", "odd key"): 19,
    }


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("search.trials", "8"),
        ("search.pruner.n_warmup_epochs", "9"),
        ("space.learning_rate[1].low", "15"),
        ("space.learning_rate[1].step", "14"),
        ("split.method", ""),
    ],
)
def test_a_problem_is_placed_at_its_key_or_the_nearest_table_above(
    tmp_path: Path, key: str, place: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SWEEP)
    problem = read_sweep_file(file).problem(key, "is wrong")
    at = f"{file}:{place}" if place else str(file)
    assert str(problem) == f"{at} {key}: is wrong"


def test_command_line_goes_before_environment_and_environment_before_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nseed = 1\n[search]\ntrials = 1\nmax_epochs = 1\npatience = 1\n')
    environ = {"RECSWEEP_SEARCH__TRIALS": "2", "RECSWEEP_SEARCH__MAX_EPOCHS": "2"}
    source = read_sweep_file(file, ["search.trials=3"], environ)
    assert source.table["search"] == {"trials": 3, "max_epochs": 2, "patience": 1}
    assert source.problem("search.trials", "x").origin == "--set search.trials=3"
    assert source.problem("search.max_epochs", "x").origin == "RECSWEEP_SEARCH__MAX_EPOCHS=2"
    assert source.problem("search.patience", "x").line == 6


def test_paths_are_relative_to_the_file_or_for_overrides_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "sweeps").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    file = tmp_path / "sweeps" / "mine.toml"
    file.write_text('[dataset]\npath = "a.csv"\n[dataset.items]\npath = "b.csv"\n')
    source = read_sweep_file(file, ["dataset.path=c.csv"])
    assert source.resolve("dataset.path", "c.csv") == tmp_path / "here" / "c.csv"
    assert source.resolve("dataset.items.path", "b.csv") == tmp_path / "sweeps" / "b.csv"
    assert source.resolve("dataset.items.path", "/x/b.csv") == Path("/x/b.csv")


def test_a_home_folder_that_there_is_not_is_a_name_like_any_other(
    tmp_path: Path, nameless: None
) -> None:
    for path in ("~nobody-of-this-name/a.toml", "~/a.toml"):
        with pytest.raises(SweepFileError, match=re.escape(path) + ": no such file"):
            read_sweep_file(path)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    sweep = read_sweep_file(tmp_path / "sweep.toml")
    assert sweep.resolve("dataset.path", "~/a.csv") == tmp_path / "~/a.csv"


def test_a_syntax_error_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('name = "mine"\nseed = = 3\n')
    with pytest.raises(SweepFileError) as caught:
        read_sweep_file(file)
    message = caught.value.message
    assert message.startswith(f"{file}:2: ")
    assert message.splitlines()[1:] == ["    seed = = 3", "           ^"]
    assert caught.value.exit_code == 2


def test_a_table_in_place_of_a_sweep_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my ratings.csv").write_text("user,item,rating\n")
    with pytest.raises(SweepFileError, match=r"no sweep; .*: recsweep init 'my ratings\.csv'"):
        read_sweep_file("my ratings.csv")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"name = \xe9", b"[a", b"[a]\n[a]\n", b"a = '"]
)
def test_no_bytes_make_reading_fail_otherwise(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(SweepFileError, match=r"bad\.toml"):
        read_sweep_file(file)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b"\xef\xbb\xbfseed = 1\r\n")
    assert read_sweep_file(file).table == {"seed": 1}


def test_a_shipped_sweep_is_found_by_name_and_a_slip_in_it_is_guessed() -> None:
    assert read_sweep_file("quickstart").path == SWEEPS["quickstart"]
    with pytest.raises(SweepFileError, match="did you mean 'quickstart'"):
        read_sweep_file("quickstrat")


def test_a_folder_is_no_sweep_file(tmp_path: Path) -> None:
    with pytest.raises(SweepFileError, match="is a folder"):
        read_sweep_file(tmp_path)


def test_overrides_that_cannot_be_applied_are_kept_as_problems(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 1\n")
    source = read_sweep_file(file, ["seed.x=1", "nothing"], {"RECSWEEP_SEEDS": "1"})
    assert len(source.override_problems) == 3
    assert source.table == {"seed": 1}
