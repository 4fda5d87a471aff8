"""A first sweep from a table of ratings."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.data.drafts import _model, draft_sweep, guessed_columns, study_name
from experiments.errors import DataProblem, RequestError
from experiments.request.config import load_sweep, sweep_to_toml
from experiments.study import plan_study
from experiments.sweep import SweepConfig
from tests.synthetic import synthetic_items, synthetic_ratings


def _drafted(table: Path, **options: object) -> tuple[SweepConfig, str]:
    target = table.parent / "sweeps" / "first look.toml"
    target.parent.mkdir(exist_ok=True)
    draft = draft_sweep(table, target, {}, **options)
    target.write_text(draft.text)
    sweep = load_sweep(target)
    assert plan_study(sweep).n_trials == 30
    return sweep, draft.text


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame = synthetic_ratings().set_axis(["User ID", "product_id", "Stars", "created_at"], axis=1)
    frame.to_csv(tmp_path / "my ratings.csv", index=False)
    return tmp_path / "my ratings.csv"


def test_it_runs_as_it_stands(table: Path) -> None:
    sweep, text = _drafted(table)
    assert text.startswith("# recsweep run 'first look.toml'\n# my ratings.csv: ")
    assert sweep.name == "first-look"
    assert sweep.dataset.path is not None and sweep.dataset.path.samefile(table)
    assert 'path = "../my ratings.csv"' in text
    assert sweep.dataset.columns == {
        "user": "User ID", "item": "product_id", "rating": "Stars", "time": "created_at",
    }  # fmt: skip
    assert sweep.split.method == "time-range"
    assert sweep.arms == ("plain", "dcn")
    assert sweep.model == {"batch_size": 64}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("userId,movieId,rating,timestamp", "userId movieId rating timestamp"),
        ("reviewerID,asin,overall,unixReviewTime", "reviewerID asin overall unixReviewTime"),
        ("u,i,r,t", "u i r t"),
        ("user_id:token,item_id:token,rating:float,timestamp:float",
         "user_id:token item_id:token rating:float timestamp:float"),
        ("user,user_id,parent_asin,rating,date,time", "user_id parent_asin rating time"),
        ("index,beer_beerid,review_profilename,review_overall",
         "review_profilename beer_beerid review_overall"),
        ("User-ID,ISBN,Book-Rating", "User-ID ISBN Book-Rating"),
    ],
)  # fmt: skip
def test_columns_are_known_by_their_usual_names(tmp_path: Path, header: str, expected: str) -> None:
    (tmp_path / "t.csv").write_text(header + "\n")
    assert list(guessed_columns(tmp_path / "t.csv", {}).values()) == expected.split()


def test_a_table_without_names_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "u.tsv").write_text("196\t242\t3\t881250949\n")
    with pytest.raises(RequestError, match="its first line names no columns; write one above it"):
        guessed_columns(tmp_path / "u.tsv", {})


def test_a_column_that_is_named_goes_before_what_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("user,item,rating,score,time\n")
    given = {"rating": "score", "item": "user", "user": "item"}
    assert guessed_columns(tmp_path / "t.csv", given) == given | {"time": "time"}
    with pytest.raises(RequestError, match=r"no column for --rating stars; it has user, item"):
        guessed_columns(tmp_path / "t.csv", {"rating": "stars"})


def test_what_no_column_looks_like_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("who,what,rating\n")
    with pytest.raises(RequestError) as caught:
        guessed_columns(tmp_path / "t.csv", {})
    assert caught.value.message == (
        "t.csv: which column is the user and which the item? It has who, what, rating; say it with "
        "--user COLUMN --item COLUMN"
    )


@pytest.mark.parametrize(
    ("n_rows", "batch_size"),
    [(6, 64), (4_000, 64), (12_000, 256), (65_395, 1024), (999_999, 1024), (1_000_000, 8192)],
)
def test_a_small_table_gets_small_batches(n_rows: int, batch_size: int) -> None:
    assert _model(n_rows).startswith(f"batch_size = {batch_size}")


def test_without_times_it_splits_at_random(tmp_path: Path) -> None:
    synthetic_ratings().drop(columns="time").to_parquet(tmp_path / "r.parquet")
    sweep, text = _drafted(tmp_path / "r.parquet")
    assert (sweep.split.method, sweep.split.train) == ("random", 0.8)
    assert "time" not in sweep.dataset.columns
    assert "no column was taken for times" in text


def test_columns_that_might_hold_times_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic_ratings().rename(columns={"time": "played"}).to_parquet(tmp_path / "r.parquet")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "r.parquet"])
    assert "none was taken for times, of played: name it with --time COLUMN" in done.stdout


@pytest.mark.parametrize("first", [0, 10**9 - 10**8])
def test_where_a_time_range_leaves_a_part_almost_empty_it_splits_by_order(
    tmp_path: Path, first: int
) -> None:
    frame = synthetic_ratings()
    frame.loc[0, "time"] = first  # long before all others
    frame.to_csv(tmp_path / "r.csv", index=False)
    sweep, _ = _drafted(tmp_path / "r.csv")
    assert sweep.split.method == "time-fraction"


def test_items_give_features_by_what_their_columns_hold(table: Path) -> None:
    n_items = 20
    rng = np.random.default_rng(0)
    pd.DataFrame(
        {
            "id": [f"i{i}" for i in range(n_items)],
            "title": [f"A film called {i}" for i in range(n_items)],
            "genres": ["Action|Drama" if i % 2 else "Drama" for i in range(n_items)],
            "colour": rng.choice(["red", "blue"], n_items),
            "price": [None, *rng.random(n_items - 1)],
            "currency": "EUR",
            "imdbId": range(n_items),
            "store_id": range(n_items),
            "paid": rng.random(n_items),
            "cover": [f"https://films.example/cover/{i}.jpg" for i in range(n_items)],
            "added": [f"2020-01-{i + 1:02} 12:00:00" for i in range(n_items)],
            "director": [f"Ann{i} Lee{i}" for i in range(n_items)],
            "isbn13": range(9_780_000_000_000, 9_780_000_000_000 + n_items),
            "postal_code": rng.integers(10_000, 99_999, n_items),
            "averageRating": rng.random(n_items),
            "ratings_count": range(n_items),
            "stars": rng.random(n_items),
            "content_rating": rng.choice(["PG", "R"], n_items),
            "kitchens": rng.choice(["Bars, Food", "Food, Pizza", "Pizza, Bars"], n_items),
        }
    ).to_csv(table.parent / "films.csv", index=False)
    sweep, text = _drafted(table, tables={"item": table.parent / "films.csv"})
    items = sweep.dataset.items
    assert items is not None
    assert (items.key, items.category, items.list, items.number, items.text) == (
        "id", ("colour", "content_rating"), ("genres",), ("price", "paid"), ("title", "kitchens"),
    )  # fmt: skip
    assert sweep.dataset.features == (
        "user_id", "item_id", "colour", "content_rating", "genres", "price", "paid", "title",
        "kitchens",
    )  # fmt: skip
    assert 'path = "../films.csv"' in text
    # Test ratings are in what an item's ratings came to.
    draft = draft_sweep(table, table.parent / "x.toml", {}, {"item": table.parent / "films.csv"})
    assert draft.sides["item"].of_ratings == ("averageRating", "ratings_count", "stars")


def test_users_give_features_too(table: Path) -> None:
    n_users = 30
    people = pd.DataFrame(
        {
            "user_id": [f"u{u}" for u in range(n_users)],
            "age": range(20, 20 + n_users),
            "brand": [f"{'AB'[u % 2]}" for u in range(n_users)],
            "reviews": range(n_users),
        }
    )
    people.to_csv(table.parent / "people.csv", index=False)
    synthetic_items().to_csv(table.parent / "films.csv", index=False)
    tables = {"item": table.parent / "films.csv", "user": table.parent / "people.csv"}
    sweep, text = _drafted(table, tables=tables)
    users = sweep.dataset.users
    assert users is not None
    # Both tables call a column brand: one name is one feature.
    assert (users.key, users.number, users.category) == ("user_id", ("age",), ())
    assert sweep.dataset.items is not None and "brand" in sweep.dataset.items.features
    assert 'users = { path = "../people.csv", key = "user_id", number = ["age"] }' in text
    assert sweep.dataset.features[-1] == "age"
    draft = draft_sweep(table, table.parent / "x.toml", {}, tables)
    assert draft.sides["user"].of_ratings == ("reviews",)
    assert draft.sides["user"].left_out == ("brand",)


def test_a_column_that_says_the_part_of_each_row_splits(table: Path) -> None:
    frame = pd.read_csv(table)
    frame["Set"] = ["train"] * (len(frame) - 40) + ["valid"] * 20 + ["test"] * 20
    frame.to_csv(table, index=False)
    sweep, text = _drafted(table)
    assert sweep.split.method == "column" and sweep.dataset.columns["part"] == "Set"
    assert "0.6" not in text
    frame["Set"] = range(len(frame))
    frame.to_csv(table, index=False)
    (table.parent / "sweeps" / "first look.toml").unlink()
    sweep, _ = _drafted(table)
    assert sweep.split.method == "time-range" and "part" not in sweep.dataset.columns


@pytest.mark.parametrize(("has_time", "way"), [(True, "latest"), (False, "mean")])
def test_pairs_that_are_rated_again_are_settled(tmp_path: Path, has_time: bool, way: str) -> None:
    frame = synthetic_ratings()
    twice = pd.concat([frame, frame[:3]])
    (twice if has_time else twice.drop(columns="time")).to_csv(tmp_path / "r.csv", index=False)
    sweep, text = _drafted(tmp_path / "r.csv")
    assert sweep.dataset.duplicates == way
    assert f'duplicates = "{way}"' in text
    assert load_sweep(_resolved(sweep, tmp_path)).dataset.duplicates == way


def _resolved(sweep: SweepConfig, folder: Path) -> Path:
    path = folder / "resolved.toml"
    path.write_text(sweep_to_toml(sweep))
    return path


def test_a_folder_and_a_table_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is a folder; name its table"):
        draft_sweep(tmp_path, tmp_path / "x.toml", {})
    (tmp_path / "r.csv").write_text("user,item,rating\n1,2,three\n")
    with pytest.raises(DataProblem, match="1 rating is no number"):
        draft_sweep(tmp_path / "r.csv", tmp_path / "x.toml", {})
    with pytest.raises(DataProblem, match="is not there"):
        draft_sweep(tmp_path / "nowhere.csv", tmp_path / "x.toml", {})


def test_the_command_writes_and_tells_what_it_took(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table.parent)
    done = CliRunner().invoke(app, ["init", table.name])
    assert done.exit_code == 0, done.output
    assert "columns  user User ID · item product_id · rating Stars · time created_at" in done.stdout
    assert "data     300 ratings, 30 users, 20 items, 1 to 5" in done.stdout
    assert "wrote    my ratings.toml" in done.stdout
    assert "recsweep run 'my ratings.toml' --plan" in done.stdout
    assert load_sweep("my ratings.toml").name == "my-ratings"
    again = CliRunner().invoke(app, ["init", table.name])
    assert "my ratings.toml is there already; name another file with -o" in str(again.exception)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("a b", "a-b"), ("..", "sweep"), ("-x-", "x"), ("é", "sweep"), ("v1.2", "v1-2")],
)
def test_a_study_is_called_after_its_file(stem: str, name: str) -> None:
    assert study_name(stem) == name


def test_the_cure_of_a_packed_table_unpacks_it(tmp_path: Path) -> None:
    (tmp_path / "u.tsv.gz").write_bytes(gzip.compress(b"196\t242\t3\t881250949\n"))
    with pytest.raises(RequestError, match="its first line names no columns") as caught:
        guessed_columns(tmp_path / "u.tsv.gz", {})
    command = str(caught.value).partition("such as ")[2]
    assert command.startswith("zcat ")
    subprocess.run(command, shell=True, check=True)  # as a user would
    (named,) = tmp_path.glob("*.named.tsv")
    assert named.read_text().splitlines() == ["user\titem\trating\ttime", "196\t242\t3\t881250949"]


def test_a_wide_table_of_numbered_items_is_melted_by_its_user(tmp_path: Path) -> None:
    head = ",".join(["user", *map(str, range(1, 60))])
    (tmp_path / "wide.csv").write_text(f"{head}\n")
    with pytest.raises(RequestError, match=r"seem to be a user's ratings.*melt\(.user."):
        guessed_columns(tmp_path / "wide.csv", {})
