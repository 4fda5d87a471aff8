"""What the shell offers after Tab, asked as the shells' scripts ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli import completing
from experiments.cli.completing import _joined
from tests.synthetic_study import make_study

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("here")
    make_study(folder / "studies" / "made-up")
    make_study(folder / "studies" / "other")
    (folder / "best.toml").touch()
    (folder / "notes.md").touch()
    for name in ("ratings.csv", "ratings.toml", "items.csv.gz"):
        (folder / name).touch()
    return folder


def bash(here: Path, *words: str) -> list[str]:
    """What bash gets for these words, the cursor at the end of the last."""
    asked = {
        completing.COMPLETION: "complete_bash",
        "COMP_WORDS": "\n".join(("recsweep", *words)),
        "COMP_CWORD": str(len(words)),
        "PYTHONPATH": str(ROOT),
        "RECSWEEP_STUDIES": "studies",
    }
    program = "import sys; sys.argv[0] = 'recsweep'; from experiments.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=here,
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_studies_and_their_trials_are_offered(here: Path) -> None:
    assert bash(here, "resume", "ma") == ["made-up"]
    # bash takes words apart at colons, and puts in the last part alone.
    assert bash(here, "show", "made-up", ":", "1") == ["1", *(str(n) for n in range(10, 20))]
    assert bash(here, "show", "made-up", ":")[0] == "0"


def test_tables_are_offered_where_one_is_read(here: Path) -> None:
    assert bash(here, "init", "r") == ["ratings.csv"]
    assert bash(here, "init", "ratings.csv", "--items", "i") == ["items.csv.gz"]


def test_sweeps_are_offered_by_name_and_by_file(here: Path) -> None:
    assert bash(here, "run", "q") == ["quickstart"]
    assert bash(here, "run", "b") == ["best.toml"]
    assert bash(here, "run", "x", "--enqueue", "") == ["best.toml", "ratings.toml", "studies/"]


def test_what_goes_wrong_offers_nothing_and_says_nothing(here: Path) -> None:
    assert bash(here, "show", "nothere", ":", "1") == []
    (here / "studies" / "other" / "study.db").write_text("damaged")
    assert bash(here, "show", "other", ":", "1") == []


@pytest.mark.parametrize(
    ("words", "last", "joined", "at"),
    [
        (["r", "show", "a", ":", "1"], 4, ["r", "show", "a:1"], 2),
        (["r", "show", "a", ":", ""], 4, ["r", "show", "a:"], 2),
        (["r", "show", "a", ":", "1", "--json"], 5, ["r", "show", "a:1", "--json"], 3),
        (["r", "show"], 2, ["r", "show"], 2),
        ([""], 0, [""], 0),
    ],
)
def test_words_are_joined_at_colons(
    words: list[str], last: int, joined: list[str], at: int
) -> None:
    assert _joined(words, last) == (joined, at)
