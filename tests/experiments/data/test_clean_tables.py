from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.errors import DataProblem, RequestError
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.loading import load_dataset
from tests.synthetic import synthetic_ratings

DAMAGE = "u1,i1,,7\nu1,i2,?,7\n"


@pytest.fixture
def messy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("messy.csv")
    path.write_text(synthetic_ratings().to_csv(index=False) + DAMAGE)
    return path


def clean(*arguments: str) -> str:
    ended = CliRunner().invoke(app, ["data", "clean", *arguments], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output


def test_a_clean_table_is_written_with_what_was_left_out(messy: Path) -> None:
    told = clean(str(messy))
    n = len(synthetic_ratings())
    assert f"read     messy.csv: {n + 2} rows" in told
    assert f"left out 1 rating is missing (line {n + 2})" in told
    assert f"left out 1 rating is no number, such as '?' (line {n + 3})" in told
    assert f"wrote    messy-clean.csv: {n} ratings" in told
    assert told.endswith("next     recsweep init messy-clean.csv\n")
    written = pd.read_csv("messy-clean.csv")
    assert sorted(map(tuple, written.to_numpy())) == sorted(
        map(tuple, synthetic_ratings()[written.columns].to_numpy())
    )


def test_columns_that_are_not_kept_are_named(messy: Path) -> None:
    assert "dropped" not in clean(str(messy), "-o", "all.csv")
    synthetic_ratings().assign(part="train", mood=3).to_csv("more.csv", index=False)
    assert "dropped  part, mood\n" in clean("more.csv")


@pytest.mark.parametrize("name", ["c.csv", "c.tsv", "c.csv.gz", "c.parquet"])
def test_each_kind_of_file_is_read_as_the_same_data(messy: Path, name: str) -> None:
    clean(str(messy), "-o", name)
    columns = {role: role for role in ("user", "item", "rating", "time")}
    found = load_dataset(DatasetConfig(path=Path(name), columns=columns), SplitConfig())
    assert found.description.n_ratings == len(synthetic_ratings())


def test_of_pairs_rated_again_the_latest_or_the_mean_is_kept(messy: Path) -> None:
    messy.write_text(messy.read_text().replace(DAMAGE, "n1,i1,1,7\nn1,i1,4,9\n"))
    assert "1 row rates a user-item pair again; the latest" in clean(str(messy), "-o", "a.csv")
    clean(str(messy), "-o", "b.csv", "--duplicates", "mean")
    ratings = [
        frame.loc[frame["user"] == "n1", "rating"].tolist()
        for frame in map(pd.read_csv, ("a.csv", "b.csv"))
    ]
    assert ratings == [[4], [2.5]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "clean.xlsx"), "clean.xlsx: call it by one of .csv, .tsv"),
        (("-o", "messy.csv"), "messy.csv is there already; name another file with -o"),
        (("--duplicates", "last"), "--duplicates: unknown way 'last'"),
        (("--range", "5", "1"), "--range must be two numbers going up, got 5 and 1"),
        (("--user", "uid"), "messy.csv has no column for --user uid"),
    ],
)
def test_a_wrong_option_is_told_and_nothing_is_written(messy, arguments, message) -> None:
    with pytest.raises(RequestError) as refused:
        clean(str(messy), *arguments)
    assert message in str(refused.value)
    assert [path.name for path in Path().iterdir()] == ["messy.csv"]


def test_damaged_rows_name_the_command_that_leaves_them_out(messy: Path) -> None:
    with pytest.raises(DataProblem) as refused:
        CliRunner().invoke(app, ["init", "messy.csv"], catch_exceptions=False)
    assert str(refused.value).endswith("or leave such rows out: recsweep data clean messy.csv")


def test_columns_that_had_to_be_named_are_named_in_the_next_command(messy: Path) -> None:
    messy.write_text(messy.read_text().replace("item", "the thing", 1))
    assert clean(str(messy), "--item", "the thing").endswith(
        "next     recsweep init messy-clean.csv --item 'the thing'\n"
    )
    with pytest.raises(DataProblem) as refused:
        CliRunner().invoke(
            app, ["init", "messy.csv", "--item", "the thing"], catch_exceptions=False
        )
    assert str(refused.value).endswith("recsweep data clean messy.csv --item 'the thing'")
