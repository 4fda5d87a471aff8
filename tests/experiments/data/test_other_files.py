"""Files that are no table with names above it: what the refusal says to type is typed."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.data.drafts import draft_sweep
from experiments.errors import RecsweepError
from tests.synthetic import synthetic_ratings

ROWS = [
    (f"0{row.user[1:]}", f"1{row.item[1:]}", row.rating, int(row.time))
    for row in synthetic_ratings().itertuples()
]


def lines(*written: str) -> str:
    return "\n".join([*written, ""])


def in_blocks() -> str:
    films: dict[str, list[str]] = {}
    for user, item, rating, time in ROWS:
        films.setdefault(item, []).append(f"{user},{rating:g},{time}")
    return lines(*(line for film, rated in films.items() for line in (f"{film}:", *rated)))


def in_json(user: str, item: str) -> list[dict[str, object]]:
    return [
        {user: f"{u}\u00e9", item: i, "rating": r, "timestamp": t, "text": 'a, "b"\n\rc'}
        for u, i, r, t in ROWS
    ]


FILES = {
    "no names.csv": lines(*(f"A{u},B{i},{r},{t}" for u, i, r, t in ROWS)),
    "tabs.tsv": lines(*(f"{u}\t{i}\t{r}\t{t}" for u, i, r, t in ROWS)),
    "u.data": lines("user\titem\trating\ttime", *(f"{u}\t{i}\t{r}\t{t}" for u, i, r, t in ROWS)),
    "colons.txt": lines("user::item::rating::time", *("::".join(map(str, row)) for row in ROWS)),
    "blanks.txt": lines(" user  item rating time", *(" {}  {} {} {} ".format(*r) for r in ROWS)),
    "escaped.csv": lines(
        '"user";"item";"rating";"time"',
        *(f'"A \\"{u}\\"; B";"{i}";"{r}";"{t}"' for u, i, r, t in ROWS),
    ),
    "blocks.txt": in_blocks(),
    "reviews.jsonl": lines(*map(json.dumps, in_json("user_id", "parent_asin"))),
    "reviews.json": json.dumps(in_json("reviewerID", "asin")),
    "reviews_2014.json": lines(*map(repr, in_json("reviewerID", "asin"))),
    "packed.json.gz": json.dumps(in_json("reviewerID", "asin")),
    "reviews_2014.json.gz": lines(*map(repr, in_json("reviewerID", "asin"))),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_said_to_be_typed_makes_a_table_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = FILES[name].encode()
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(RecsweepError) as refused:
        draft_sweep(Path(name), Path("s.toml"), {})
    found = re.search(r"\b(sed|cp|cat|awk|python) .*", refused.value.message)
    assert found is not None, refused.value.message
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(found[0], shell=True, check=True, env={**os.environ, "PATH": path})
    (made,) = (entry for entry in Path().iterdir() if entry.name != name)
    it = draft_sweep(made, Path("s.toml"), {}).description
    users, items = ({row[i] for row in ROWS} for i in (0, 1))
    assert (it.n_ratings, it.n_users, it.n_items) == (len(ROWS), len(users), len(items))
    assert it.train.first_time == min(row[3] for row in ROWS)


def test_a_column_an_item_is_told_with_what_makes_a_row_a_rating(tmp_path: Path) -> None:
    names = ",".join(f"joke{i}" for i in range(40))
    path = tmp_path / "wide.csv"
    path.write_text(lines(f"user,{names}", "7" + ",3" * 40))
    with pytest.raises(RecsweepError, match=r"its 41 columns seem .* pandas\.read_csv\(.*melt"):
        draft_sweep(path, tmp_path / "s.toml", {})
    path.write_text(lines("7" + ",3" * 40))
    with pytest.raises(RecsweepError, match=r"its 41 columns seem .* below a first line such as"):
        draft_sweep(path, tmp_path / "s.toml", {})


@pytest.mark.parametrize(
    ("name", "cure"),
    [("r.zip", "unpack it: unzip "), ("r.csv.zst", "unpack it: zstd --decompress "),
     ("r.json.gz", "json.loads, gzip.open("),
     ("r.xlsx", "save it as CSV in UTF-8"), ("r.pkl", ".parquet, .pq")],
)  # fmt: skip
def test_a_file_of_another_kind_is_told_with_what_to_do(
    tmp_path: Path, name: str, cure: str
) -> None:
    (tmp_path / name).write_bytes(b"?")
    with pytest.raises(RecsweepError) as refused:
        draft_sweep(tmp_path / name, tmp_path / "s.toml", {})
    assert cure in refused.value.message


def test_times_of_which_none_is_read_are_told_how_to_be_written(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        lines("user,item,rating,date", *(f"{u},{i},{r},8/8/2011" for u, i, r, _ in ROWS))
    )
    with pytest.raises(RecsweepError) as refused:
        draft_sweep(path, tmp_path / "s.toml", {})
    assert refused.value.message.endswith("or such as 2020-09-13 12:26:40")
    # Most are damaged: data clean would refuse to leave them out.
    path.write_text(lines("user,item,rating", *(f"{u},{i},?" for u, i, *_ in ROWS)))
    with pytest.raises(RecsweepError) as refused:
        draft_sweep(path, tmp_path / "s.toml", {})
    assert refused.value.message.endswith("mend them where they come from")
