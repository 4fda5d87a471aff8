from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.datasets.config import DatasetConfig, ItemsConfig, SplitConfig
from recommender.datasets.loading import load_dataset
from recommender.datasets.table import MOST_WORDS, frequent_words
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


def test_whole_numbers_written_as_floats_are_read_as_they_are_and_said(tmp_path) -> None:
    numbered = RATINGS.assign(item=RATINGS["item"].str[1:].astype(int))
    as_floats = numbered.assign(item=[f"{item}.0" for item in numbered["item"]])
    loaded, floats = (load_table(tmp_path, table) for table in (numbered, as_floats))
    assert floats.description.fingerprint == loaded.description.fingerprint
    assert [note for note in floats.description.notes if "item ids" in note] == [
        f"ratings.csv: item ids are written as {as_floats['item'][0]} and are read as "
        f"{numbered['item'][0]}"
    ]


def test_ids_that_a_spreadsheet_rounded_are_refused(tmp_path) -> None:
    ratings = RATINGS.copy()
    ratings.loc[[4, 9], "item"] = ["9.78014E+12", "9.78044E+12"]
    text = problems(load_table, tmp_path, ratings)
    assert "2 item ids are numbers that a spreadsheet rounded, such as '9.78014E+12'" in text
    assert text.endswith("(lines 6, 11); export them as text: different ones became the same")


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
        (b"sep=;\r\nuser;item;rating\r\n", "the first line is 'sep=;', a spreadsheet's"),
        (b"user::item::rating::time\n", "'::' is between its columns; write one tab instead: sed"),
        (b"user,item,rating,time\n", "holds no ratings"),
        (b"\xff\xfeu\x00s\x00", "UTF-16"),
        (b"u\x00s\x00e\x00r\x00,\x00", "holds NUL in its first line; save it as text"),
        (b"PAR1\x15\x00user", "is no text but Parquet; call it .parquet"),
        (b"\x1f\x8b\x08\x00", "is no text but gzip; call it .csv.gz"),
        (b"PK\x03\x04\x14\x00", "is no text but ZIP"),
        (b'user,item,rating,time\na,"b,3,4\n', "cannot be read as a table"),
        (b"user,item,rating,time\na,b,3,5,100\nc,d,4,100\n", "1 line has more fields"),
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
    assert list(encoded.side_tables) == ["brand", "genres", "year"]
    genres = encoded.side_tables["genres"]
    assert genres.columns == ("Action", "Comedy", "Drama")
    row = 1 + int(np.flatnonzero(encoded.catalog == "i7")[0])
    told = {name for name, on in zip(genres.columns, genres.matrix[row], strict=True) if on}
    assert "|".join(sorted(told)) == items["genres"][7]
    assert encoded.side_tables["brand"].columns == ("A", "B")
    assert set(encoded.side_tables["brand"].matrix[1:].sum(axis=1)) == {1.0}
    year = encoded.side_tables["year"].matrix[encoded.train.catalog]
    assert year.mean() == pytest.approx(0, abs=1e-5)
    assert year.std() == pytest.approx(1, abs=1e-5)


def test_lists_of_parquet_are_words(tmp_path) -> None:
    items_path = tmp_path / "items.parquet"
    items = synthetic_items()
    items.assign(genres=items["genres"].str.split("|")).to_parquet(items_path)
    config = ItemsConfig(items_path, "item", list=("genres",))
    encoded = load_table(tmp_path, RATINGS, items=config).encoded
    assert encoded.side_tables["genres"].columns == ("Action", "Comedy", "Drama")


def test_of_texts_the_words_of_more_than_one_item_count(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    titles = ["Toy Story (1995)", "toy soldiers", None, "Story, the 2nd: toy"]
    items = pd.DataFrame({"item": [f"i{i}" for i in range(4)], "title": titles})
    items.to_csv(items_path, index=False)
    config = ItemsConfig(items_path, "item", text=("title",))
    encoded = load_table(tmp_path, RATINGS, items=config).encoded
    table = encoded.side_tables["title"]
    assert (table.kind, table.columns) == ("text", ("story", "toy"))
    rows = [1 + int(np.flatnonzero(encoded.catalog == f"i{i}")[0]) for i in range(4)]
    assert table.matrix[rows].tolist() == [[1, 1], [0, 1], [0, 0], [1, 1]]


def test_of_many_words_the_most_frequent_count() -> None:
    texts = pd.Series([f"all half{i % 2} w{i % 1500}" for i in range(3_000)])
    words = frequent_words(texts)
    assert len({word for row in words for word in row}) == MOST_WORDS
    assert set(words[0]) == {"all", "half0", "w0"}


def test_a_feature_that_tells_no_items_apart_is_noted(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    alone = {"title": [f"story{i}" for i in range(20)], "brand": "", "year": None, "price": 2.5}
    items = synthetic_items()[["item", "genres"]].assign(**alone)
    items.to_csv(items_path, index=False)
    config = ItemsConfig(
        items_path,
        "item",
        category=("brand",),
        list=("genres",),
        number=("price", "year"),
        text=("title",),
    )
    notes = load_table(tmp_path, RATINGS, items=config).description.notes
    same = "is the same for all items in train, and tells models nothing"
    assert set(notes) == {
        f"title {same}; of texts words count that are in two or more",
        *(f"{name} {same}" for name in ("brand", "year", "price")),
    }


def test_a_missing_number_counts_as_the_mean(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    items = synthetic_items().astype({"year": object})
    items.loc[7, "year"] = None
    items.to_csv(items_path, index=False)
    config = ItemsConfig(items_path, "item", number=("year",))
    encoded = load_table(tmp_path, RATINGS, items=config).encoded
    row = 1 + int(np.flatnonzero(encoded.catalog == "i7")[0])
    assert encoded.side_tables["year"].matrix[row, 0] == 0


def test_rated_items_without_features_are_told(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    synthetic_items()[:15].to_csv(items_path, index=False)
    config = ItemsConfig(items_path, "item", number=("year",))
    loaded = load_table(tmp_path, RATINGS, items=config)
    assert loaded.description.notes == ("items.csv lacks 5 of 20 rated items",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,year\ni1,1990\ni2,1991\ni1,1992\n", "1 item id appears a second time (line 4)"),
        ("item,year\ni1,1990\n,1991\n", "1 item id is missing (line 3)"),
        ("item,year\ni1,soon\n", "1 value of year is no number, such as 'soon' (line 2)"),
        ("item,year\nmovie 1,1990\n", "none of its items is rated"),
    ],
)
def test_a_damaged_item_table_is_refused(tmp_path, text, message) -> None:
    items_path = tmp_path / "items.csv"
    items_path.write_text(text)
    config = ItemsConfig(items_path, "item", number=("year",))
    assert message in problems(load_table, tmp_path, RATINGS, items=config)


def _with_reviews(**at: str) -> str:
    """The ratings with a column of reviews, those of the named rows as they are given."""
    lines = CSV.splitlines()
    reviews = [at.get(f"row_{row}", "good") for row in range(len(lines) - 1)]
    rows = [f"{line},{review}" for line, review in zip(lines[1:], reviews, strict=True)]
    return "\n".join([f"{lines[0]},review", *rows]) + "\n"


def test_a_stray_quote_does_not_swallow_ratings(tmp_path) -> None:
    told = problems(load_text, tmp_path, _with_reviews(row_10='"5 stars', row_200='the 12"'))
    assert "line 12 opens a quote that is closed on line 202, so that 190 line breaks" in told
    unended = _with_reviews(row_10='"5 stars', row_11='the 12"').removesuffix("\n")
    assert "closed on line 13, so that 1 line breaks" in problems(load_text, tmp_path, unended)


def test_a_text_of_several_lines_is_read_and_lines_are_counted_as_the_file_has_them(
    tmp_path,
) -> None:
    review = '"first, second\nu1,i2,3,4,5\nthird, fourth, fifth\n, and so on"'
    loaded = load_text(tmp_path, _with_reviews(row_3=review, row_4=review))
    assert loaded.description.fingerprint == load_text(tmp_path, CSV).description.fingerprint
    bad = _with_reviews(row_3=review, row_4=review).splitlines()
    bad[20] = ",".join([*bad[20].split(",")[:2], "x", *bad[20].split(",")[3:]])
    assert "'x' (line 21)" in problems(load_text, tmp_path, "\n".join(bad))


def test_a_line_break_is_no_part_of_an_id(tmp_path) -> None:
    ratings = RATINGS.assign(user=RATINGS["user"].replace("u3", "u\n3"))
    assert "user ids hold NUL or a line break" in problems(load_table, tmp_path, ratings)


def test_a_header_in_latin_1_is_said_and_mixed_with_utf_8_refused(tmp_path) -> None:
    lines = CSV.encode().splitlines()
    lines = [lines[0] + ",caf\xe9".encode("latin-1"), *(line + b",x" for line in lines[1:])]
    loaded = load_text(tmp_path, b"\n".join(lines))
    assert "Latin-1" in loaded.description.notes[0]
    lines[3] += "é".encode()
    assert "1 line is not UTF-8" in problems(load_text, tmp_path, b"\n".join(lines))


def test_one_damaged_byte_does_not_change_all_accents(tmp_path) -> None:
    ratings = RATINGS.assign(item=RATINGS["item"].replace("i3", "Amélie"))
    lines = ratings.to_csv(index=False).encode().splitlines()
    lines[7] = lines[7].replace(b"u", b"\xe9", 1)
    told = problems(load_text, tmp_path, b"\n".join(lines))
    assert "1 line is not UTF-8 while" in told and "(line 8)" in told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"user item rating time\na b 3 4\n", "blanks are between its columns; write a tab"),
        (b"user,item,rating,time\na,b,3,4\n" + b"a,c,3,4,5,6,7\n" * 2, "(lines 3, 4)"),
        (b"\xff\xfe\0\0u\0\0\0", "UTF-32"),
        (b'user;item;rating;time\na;b;"3,5";4\n', "decimal point"),
        (b'user;item;rating;time\na;b;"12,500";4\n', "without commas between digits"),
        (b"user,item,rating,time\na,b,1e39,4\n", "1 rating is too large"),
        (b'user,item,rating,time\na,"b,3,4\n' + b"a,b,3,4\n" * 20_000, "EOF inside string"),
        (b"x" * 200_000, "the first line must name the columns and cannot"),
        (b"user,item,rating,time\na,b,3,4,\na,c,3,4,5,6\n", "1 line has more fields"),
        (
            b"user,item,rating,time\na,b,3,4\na,c,3,4,,\n",
            "1 line has more fields than the header (line 3)",
        ),
        (b"user,item,rating,time\na,b,3,4,,5\na,c,3,4\n", "(line 2)"),
        (b"user,item,rating,time\na,b,3,4,,\na,c,3,4,,6\n", "(line 3)"),
    ],
)
def test_a_table_in_another_shape_is_told_with_the_cure(tmp_path, content, message) -> None:
    assert message in problems(load_text, tmp_path, content)


def test_the_ending_may_be_in_capitals(tmp_path) -> None:
    assert load_text(tmp_path, CSV, name="R.CSV").description.n_ratings == 300


def test_an_index_of_parquet_is_a_column_and_rows_count_from_the_first(tmp_path) -> None:
    path = tmp_path / "ratings.parquet"
    config = DatasetConfig(path=str(path), columns=NAMES)  # type: ignore[arg-type]
    RATINGS.set_index("user").to_parquet(path)
    loaded = load_dataset(config, SplitConfig())
    assert loaded.description.fingerprint == load_text(tmp_path, CSV).description.fingerprint
    RATINGS.assign(rating=[np.nan, *RATINGS["rating"][1:]], index=1000).set_index(
        "index"
    ).to_parquet(path)
    assert "1 rating is missing (row 1)" in problems(load_dataset, config, SplitConfig())


def test_large_ids_of_parquet_beside_missing_ones_stay_whole(tmp_path) -> None:
    path = tmp_path / "ratings.parquet"
    ids = pd.array([2**60 + int(user[1:]) for user in RATINGS["user"]], dtype="Int64")
    ids[5] = None
    RATINGS.assign(user=ids).to_parquet(path)
    config = DatasetConfig(path=path, columns=NAMES)
    assert problems(load_dataset, config, SplitConfig()).endswith(
        "1 user id is missing (row 6); mend or remove them"
    )
    RATINGS.assign(user=ids)[6:].to_parquet(path)
    loaded = load_dataset(config, SplitConfig())
    assert str(2**60 + 1) in loaded.encoded.user_vocabulary


def test_a_damaged_page_of_parquet_is_told(tmp_path) -> None:
    path = tmp_path / "ratings.parquet"
    RATINGS.to_parquet(path)
    content = bytearray(path.read_bytes())
    content[10:200] = bytes(190)
    path.write_bytes(content)
    config = DatasetConfig(path=path, columns=NAMES)
    assert "ratings.parquet: cannot be read" in problems(load_dataset, config, SplitConfig())


def test_dates_are_no_numbers(tmp_path) -> None:
    path = tmp_path / "items.parquet"
    items = synthetic_items()
    items.assign(year=pd.to_datetime(items["year"].astype(int), format="%Y")).to_parquet(path)
    config = ItemsConfig(path, "item", number=("year",))
    assert "values of year are no numbers" in problems(load_table, tmp_path, RATINGS, items=config)


@pytest.mark.parametrize(
    ("layout", "note"),
    [
        ("%Y%m%d", "dates YYYYMMDD"),
        ("%Y%m%d%H%M", "dates YYYYMMDDhhmm"),
        ("%Y%m%d%H%M%S", "dates YYYYMMDDhhmmss"),
    ],
)
def test_compact_dates_are_dates(tmp_path, layout, note) -> None:
    dates = pd.to_datetime(RATINGS["time"], unit="s").dt.strftime(layout).astype(int)
    description = load_table(tmp_path, RATINGS.assign(time=dates)).description
    first = pd.to_datetime(str(dates.min()), format=layout).timestamp()
    assert description.train.first_time == first
    assert description.notes == (f"ratings.csv: times are read as {note}",)


def test_times_of_two_units_are_refused(tmp_path) -> None:
    times = RATINGS["time"].where(RATINGS.index % 3 == 0, RATINGS["time"] * 1000)
    told = problems(load_table, tmp_path, RATINGS.assign(time=times))
    assert "100 times are of another unit than most, which are milliseconds" in told


def test_years_outside_those_of_nanoseconds_are_dates(tmp_path) -> None:
    path = tmp_path / "ratings.parquet"
    times = pd.to_datetime(RATINGS["time"], unit="s").dt.as_unit("s")
    times[0] = pd.Timestamp("0001-01-01").as_unit("s")
    RATINGS.assign(time=times).to_parquet(path)
    loaded = load_dataset(DatasetConfig(path=path, columns=NAMES), SplitConfig("random"))
    parts = loaded.description.parts.values()
    assert min(part.first_time or 0 for part in parts) == -62_135_596_800


def test_counts_as_times_are_told(tmp_path) -> None:
    loaded = load_table(tmp_path, RATINGS.assign(time=range(300)))
    assert "none is later than 1970" in loaded.description.notes[0]


def test_ids_that_only_look_alike_are_told(tmp_path) -> None:
    users = {"u1": "Zoë", "u2": "Zoe\u0308", "u3": "7", "u4": "7.0"}
    ratings = RATINGS.assign(user=RATINGS["user"].replace(users))
    assert "2 user ids look like others" in load_table(tmp_path, ratings).description.notes[0]


def test_lists_in_another_form_are_told_and_lists_of_numbers_refused(tmp_path) -> None:
    path = tmp_path / "items.csv"
    items = synthetic_items()
    items.assign(genres=items["genres"].str.split("|").astype(str)).to_csv(path, index=False)
    config = ItemsConfig(path, "item", list=("genres",))
    assert "holds |" in load_table(tmp_path, RATINGS, items=config).description.notes[0]
    path = tmp_path / "items.parquet"
    items.assign(genres=[["a", None]] * len(items)).to_parquet(path)
    config = ItemsConfig(path, "item", list=("genres",))
    tables = load_table(tmp_path, RATINGS, items=config).encoded.side_tables
    assert tables["genres"].columns == ("a",)
    items.assign(genres=[[0.5, 0.0]] * len(items)).to_parquet(path)
    assert "genres holds lists of float" in problems(load_table, tmp_path, RATINGS, items=config)
    items.assign(genres=[[["a", "b"], ["c"]]] * len(items)).to_parquet(path)
    config = ItemsConfig(path, "item", category=("genres",))
    assert "genres holds lists of ndarray" in problems(load_table, tmp_path, RATINGS, items=config)


def _one_odd_year(folder: Path, year: float, odd: float) -> tuple[pd.DataFrame, ItemsConfig]:
    """Items of one year but for one, which no train row rates."""
    path = folder / "items.csv"
    items = synthetic_items().assign(year=year)
    items.loc[7, "year"] = odd
    items.to_csv(path, index=False)
    ratings = RATINGS.sort_values("time", ignore_index=True)
    ratings = ratings[(ratings["item"] != "i7") | (ratings.index > 250)]
    return ratings, ItemsConfig(path, "item", number=("year",))


def test_a_number_beyond_single_precision_is_refused(tmp_path) -> None:
    ratings, config = _one_odd_year(tmp_path, 2000.0, 1e39)
    assert "feature year: 1e+39 is too far" in problems(load_table, tmp_path, ratings, items=config)


def test_a_number_that_is_the_same_in_train_is_not_magnified_elsewhere(tmp_path) -> None:
    ratings, config = _one_odd_year(tmp_path, 0.1, 0.2)
    table = load_table(tmp_path, ratings, items=config).encoded.side_tables["year"]
    assert table.matrix.max() == pytest.approx(0.1)


def test_all_tables_are_looked_at_before_anything_is_told(tmp_path) -> None:
    path = tmp_path / "items.csv"
    items = synthetic_items().astype({"year": object})
    items.loc[7, "year"] = "old"
    items.to_csv(path, index=False)
    ratings = RATINGS.assign(rating=["x", *RATINGS["rating"][1:]])
    config = ItemsConfig(path, "item", number=("year",))
    told = problems(load_table, tmp_path, ratings, items=config)
    assert "1 rating is no number" in told and "1 value of year is no number" in told


def test_files_of_one_name_are_told_apart(tmp_path) -> None:
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "r.csv").write_text(CSV)
    paths = {f"{part}_path": str(tmp_path / part / "r.csv") for part in ("train", "test")}
    told = problems(load_dataset, DatasetConfig(columns=NAMES), SplitConfig("files", **paths))
    assert f"{tmp_path / 'train' / 'r.csv'} and {tmp_path / 'test' / 'r.csv'}: " in told
