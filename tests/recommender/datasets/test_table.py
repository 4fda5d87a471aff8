from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.datasets.base import DatasetConfig, ItemsConfig, SplitConfig
from recommender.datasets.loading import load_dataset
from recommender.errors import DataError
from tests.recommender.datasets.tables import NAMES, load_table, load_text
from tests.synthetic import synthetic_items, synthetic_ratings

RATINGS = synthetic_ratings()
CSV = RATINGS.to_csv(index=False)


def problems(call, *args, **kwargs) -> str:
    with pytest.raises(DataError) as caught:
        call(*args, **kwargs)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_separator_and_line_ends_do_not_matter(tmp_path, separator, line_end) -> None:
    text = CSV.replace(",", separator).replace("\n", line_end)
    loaded = load_text(tmp_path, text)
    assert loaded.description.fingerprint == load_text(tmp_path, CSV).description.fingerprint
    assert not loaded.description.notes


def test_a_byte_order_mark_quotes_blanks_and_blank_lines_do_not_matter(tmp_path) -> None:
    lines = CSV.splitlines()
    quoted = ['"user", "item", "rating", "time"', "", *lines[1:50], "", *lines[50:], "", ""]
    text = "\n".join(quoted).replace(",", ", ")
    loaded = load_text(tmp_path, text.encode("utf-8-sig"))
    assert loaded.description.fingerprint == load_text(tmp_path, CSV).description.fingerprint


def test_the_separator_is_the_one_that_shows_the_named_columns(tmp_path) -> None:
    text = "user;item;rating;time;note, long, with, many, commas\n"
    text += "\n".join(f"{u};{i};{r};{t};x" for u, i, r, t in RATINGS.itertuples(index=False))
    assert load_text(tmp_path, text).description.n_ratings == 300


def test_a_compressed_table_is_read(tmp_path) -> None:
    loaded = load_text(tmp_path, gzip.compress(CSV.encode()), name="ratings.csv.gz")
    assert loaded.description.n_ratings == 300


def test_parquet_and_csv_are_the_same_data(tmp_path) -> None:
    path = tmp_path / "ratings.parquet"
    RATINGS.to_parquet(path)
    parquet = load_dataset(DatasetConfig(path=path, columns=NAMES), SplitConfig())
    assert parquet.description.fingerprint == load_text(tmp_path, CSV).description.fingerprint


def test_ids_keep_their_leading_zeros_and_words_like_na_are_ids(tmp_path) -> None:
    ratings = RATINGS.assign(user=RATINGS["user"].replace({"u1": "007", "u2": "7", "u3": "NA"}))
    encoded = load_table(tmp_path, ratings, SplitConfig("random")).encoded
    assert {"007", "7", "NA"} <= set(encoded.user_vocabulary)


def test_whole_number_and_bytes_ids_of_parquet_become_text(tmp_path) -> None:
    path = tmp_path / "ratings.parquet"
    RATINGS.assign(
        user=RATINGS["user"].str[1:].astype(int), item=RATINGS["item"].str.encode("utf-8")
    ).to_parquet(path)
    encoded = load_dataset(DatasetConfig(path=path, columns=NAMES), SplitConfig()).encoded
    assert "17" in encoded.user_vocabulary
    assert "i17" in encoded.item_vocabulary


def test_bytes_printed_as_text_are_read_as_the_text_and_said(tmp_path) -> None:
    printed = RATINGS.assign(user=[str(u.encode()) for u in RATINGS["user"]])
    loaded = load_table(tmp_path, printed)
    assert loaded.description.fingerprint == load_text(tmp_path, CSV).description.fingerprint
    assert "user ids are bytes printed as text" in loaded.description.notes[0]


def test_bytes_printed_as_text_beside_plain_ids_are_refused(tmp_path) -> None:
    ratings = RATINGS.copy()
    ratings.loc[[4, 9], "item"] = ["b'i3'", "b'x'"]
    text = problems(load_table, tmp_path, ratings)
    assert "2 item ids are bytes printed as text" in text
    assert "lines 6, 11" in text


def test_latin_1_is_read_and_said(tmp_path) -> None:
    ratings = RATINGS.assign(item=RATINGS["item"].replace("i3", "Amélie"))
    text = ratings.to_csv(index=False).encode("latin-1")
    loaded = load_text(tmp_path, text, SplitConfig("random"))
    assert "Amélie" in loaded.encoded.catalog
    assert "Latin-1" in loaded.description.notes[0]


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(RATINGS["time"] * 1000, id="milliseconds"),
        pytest.param(RATINGS["time"] * 10**9, id="nanoseconds"),
        pytest.param(pd.to_datetime(RATINGS["time"], unit="s").astype(str), id="text"),
        pytest.param(
            pd.to_datetime(RATINGS["time"], unit="s", utc=True).dt.tz_convert("Asia/Tokyo"),
            id="zone",
        ),
    ],
)
def test_times_may_be_parts_of_seconds_or_dates(tmp_path, times) -> None:
    loaded = load_table(tmp_path, RATINGS.assign(time=times))
    assert loaded.description.fingerprint == load_text(tmp_path, CSV).description.fingerprint


def test_dates_of_parquet_are_read(tmp_path) -> None:
    path = tmp_path / "ratings.parquet"
    RATINGS.assign(time=pd.to_datetime(RATINGS["time"], unit="s")).to_parquet(path)
    loaded = load_dataset(DatasetConfig(path=path, columns=NAMES), SplitConfig())
    assert loaded.description.train.first_time == RATINGS["time"].min()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the first line is empty"),
        (b"user,item,rating,time\n", "holds no ratings"),
        (b"\xff\xfeu\x00s\x00", "UTF-16"),
        (b'user,item,rating,time\na,"b,3,4\n', "cannot be read as a table"),
        (b"user,item,rating,time\na,b,3,5,100\nc,d,4,100\n", "1 lines have more fields"),
        (b"user,item,rating,user\na,b,3,4\n", "column 'user' is there 2 times"),
        (b"uid,item,rating,time\na,b,3,4\n", "unknown column 'user'"),
        (b"user,item,raiting,time\na,b,3,4\n", "did you mean 'raiting'?"),
    ],
)
def test_a_file_that_is_no_table_of_ratings_is_refused(tmp_path, content, message) -> None:
    assert message in problems(load_text, tmp_path, content)


@pytest.mark.parametrize("name", ["ratings.csv.gz", "ratings.parquet", "ratings.xlsx"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name) -> None:
    assert name in problems(load_text, tmp_path, CSV, name=name)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=100)
    | st.text("ab15,;\t\"' \n\r\0.-eé", max_size=200).map(str.encode)
    | st.lists(
        st.tuples(*[st.sampled_from(["1", "2", "b'1'", "", " ", "1e999", "-1", "é", "nan"])] * 4),
        max_size=12,
    ).map(lambda rows: "\n".join(",".join(row) for row in rows).encode())
)
def test_no_content_leads_to_anything_but_ratings_or_a_data_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("table")
    for head in (b"", b"user,item,rating,time\n"):
        try:
            loaded = load_text(folder, head + content, SplitConfig("random", 0.4, 0.3))
        except DataError as error:
            assert all(error.problems)
        else:
            assert loaded.description.n_ratings > 2


def test_items_bring_words_categories_and_numbers(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    items = synthetic_items()
    items.to_csv(items_path, index=False)
    config = ItemsConfig(items_path, "item", ("brand",), ("genres",), ("year",))
    encoded = load_table(tmp_path, RATINGS, items=config).encoded
    assert list(encoded.item_tables) == ["brand", "genres", "year"]
    genres = encoded.item_tables["genres"]
    assert genres.columns == ("Action", "Comedy", "Drama")
    row = 1 + int(np.flatnonzero(encoded.catalog == "i7")[0])
    told = {name for name, on in zip(genres.columns, genres.matrix[row], strict=True) if on}
    assert "|".join(sorted(told)) == items["genres"][7]
    assert encoded.item_tables["brand"].columns == ("A", "B")
    assert set(encoded.item_tables["brand"].matrix[1:].sum(axis=1)) == {1.0}
    year = encoded.item_tables["year"].matrix[encoded.train.catalog]
    assert year.mean() == pytest.approx(0, abs=1e-5)
    assert year.std() == pytest.approx(1, abs=1e-5)


def test_lists_of_parquet_are_words(tmp_path) -> None:
    items_path = tmp_path / "items.parquet"
    items = synthetic_items()
    items.assign(genres=items["genres"].str.split("|")).to_parquet(items_path)
    config = ItemsConfig(items_path, "item", list=("genres",))
    encoded = load_table(tmp_path, RATINGS, items=config).encoded
    assert encoded.item_tables["genres"].columns == ("Action", "Comedy", "Drama")


def test_a_missing_number_counts_as_the_mean(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    items = synthetic_items().astype({"year": object})
    items.loc[7, "year"] = None
    items.to_csv(items_path, index=False)
    config = ItemsConfig(items_path, "item", number=("year",))
    encoded = load_table(tmp_path, RATINGS, items=config).encoded
    row = 1 + int(np.flatnonzero(encoded.catalog == "i7")[0])
    assert encoded.item_tables["year"].matrix[row, 0] == 0


def test_rated_items_without_features_are_told(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    synthetic_items()[:15].to_csv(items_path, index=False)
    config = ItemsConfig(items_path, "item", number=("year",))
    loaded = load_table(tmp_path, RATINGS, items=config)
    assert loaded.description.notes == ("items.csv: 5 of 20 rated items are not in it",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,year\ni1,1990\ni2,1991\ni1,1992\n", "1 item ids appear a second time (line 4)"),
        ("item,year\ni1,1990\n,1991\n", "1 item ids are missing (line 3)"),
        ("item,year\ni1,soon\n", "1 values of year are no numbers, such as 'soon' (line 2)"),
        ("item,year\nmovie 1,1990\n", "none of its items is rated"),
    ],
)
def test_a_damaged_item_table_is_refused(tmp_path, text, message) -> None:
    items_path = tmp_path / "items.csv"
    items_path.write_text(text)
    config = ItemsConfig(items_path, "item", number=("year",))
    assert message in problems(load_table, tmp_path, RATINGS, items=config)
