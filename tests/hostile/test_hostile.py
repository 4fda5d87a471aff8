"""Bad tables and sweep files: each is refused with its message, none with a traceback."""

from __future__ import annotations

import os
import re
import shutil
import string
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.cli import main as command
from experiments.cli.options import study_folder
from experiments.errors import RecsweepError, RequestError, SweepFileError
from experiments.request.config import load_sweep
from experiments.sweep import name_problem
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.loading import load_dataset
from recommender.errors import DataError
from tests.hostile import sweeps, tables

BAD_TABLES = [case for case in tables.CASES if case.message is not None]


def test_the_corpus_is_large_and_its_names_are_its_own() -> None:
    assert len(BAD_TABLES) + len(sweeps.CASES) >= 100
    assert len({case.name for case in tables.CASES}) == len(tables.CASES)
    assert len({case.name for case in sweeps.CASES}) == len(sweeps.CASES)


@pytest.mark.parametrize("case", tables.CASES, ids=lambda case: case.name)
def test_a_nasty_table_is_read_where_that_is_safe_and_else_refused(
    case: tables.Case, tmp_path: Path
) -> None:
    if case.message is None:
        loaded = tables.load(case, tmp_path)
        assert loaded.description.n_ratings >= 120
        for rows in (loaded.encoded.train, loaded.encoded.validation):
            assert np.isfinite(rows.rating).all()
        return
    with pytest.raises(DataError) as refusal:
        tables.load(case, tmp_path)
    assert re.search(case.message, "\n".join(refusal.value.problems))


@pytest.mark.parametrize("case", sweeps.CASES, ids=lambda case: case.name)
def test_a_bad_sweep_file_is_refused_with_line_key_and_rule(
    case: sweeps.Case, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(case.content)
    with pytest.raises(SweepFileError) as refusal:
        load_sweep(file)
    assert refusal.value.exit_code == 2
    said = refusal.value.message.replace(f"{tmp_path}/", "").removeprefix(file.name)
    assert said.lstrip(":").startswith(case.message)


@pytest.mark.parametrize("case", [*sweeps.CASES, *BAD_TABLES], ids=lambda case: case.name)
def test_the_command_line_refuses_all_of_the_corpus_without_a_traceback(
    case: sweeps.Case | tables.Case,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, codes = tmp_path / "mine.toml", {2}
    if isinstance(case, tables.Case):
        (tmp_path / case.file).write_bytes(case.content)
        columns = {name: name for name in tables.HEADER.split(",")}
        dataset: dict[str, Any] = {"path": case.file, "columns": columns}
        if case.rating_range is not None:
            dataset["rating_range"] = list(case.rating_range)
        file.write_text(tomli_w.dumps(tomllib.loads(sweeps.SOUND) | {"dataset": dataset}))
        codes = {2, 3}  # 2 where the sweep's columns cannot be those of the file
    else:
        file.write_bytes(case.content)
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["recsweep", "run", "mine.toml", "--plan"])
    with pytest.raises(SystemExit) as ending:
        command.main()
    said = capsys.readouterr().err
    assert ending.value.code in codes, said
    assert said.strip()
    assert "Traceback" not in said
    assert sorted(tmp_path.iterdir()) == before


KEPT = Path(__file__).parents[1] / "kept" / "version-0.1"


@pytest.mark.parametrize("name", ["sweep.toml", "provenance.json", "baselines.json", "study.db"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff{", b"[]", b"null", b"{}", b'"x"'], ids=lambda b: repr(b)
)
def test_a_study_with_an_overwritten_file_is_shown_or_refused_by_name(
    name: str,
    content: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = Path(shutil.copytree(KEPT, tmp_path / "kept"))
    (study / name).write_bytes(content)
    monkeypatch.setattr("sys.argv", ["recsweep", "show", str(study)])
    try:
        command.main()
    except SystemExit as ending:
        said = capsys.readouterr().err
        assert ending.code in (0, 2, 4)
        assert "Traceback" not in said
        assert ending.code == 0 or name in said


def test_the_sound_sweep_and_table_of_the_corpus_are_sound(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(sweeps.SOUND)
    assert load_sweep(file).name == "mine"


QUICK = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["adam", "plain", "ranking", "tpe", "1e-3", "../..", "="]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["low", "high", "log", "choices", "when", "use", "name", "each", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def _places(table: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    places = []
    for key, value in table.items():
        places.append((table, key))
        if isinstance(value, dict):
            places += _places(value)
    return places


@QUICK
@given(data=st.data())
def test_a_mutated_sweep_is_read_or_refused_never_a_traceback(
    tmp_path: Path, data: st.DataObject
) -> None:
    table = tomllib.loads(sweeps.SOUND)
    table["space"] |= {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    table["split"] = {"method": "time-range", "train": 0.6, "validation": 0.2}
    for _ in range(data.draw(st.integers(1, 3))):
        where, key = data.draw(st.sampled_from(_places(table)))
        change = data.draw(st.sampled_from(["replace", "remove", "add"]))
        value = data.draw(VALUES.filter(lambda v: v is not None))
        if change == "remove":
            where.pop(key, None)
        else:
            where[key if change == "replace" else data.draw(st.text(max_size=8))] = value
    file = tmp_path / "mutated.toml"
    try:
        file.write_text(tomli_w.dumps(_without_none(table)))
    except ValueError:
        return  # not writable as TOML at all
    try:
        sweep = load_sweep(file)
    except SweepFileError as refusal:
        assert refusal.message.strip()
        assert all(problem.message for problem in refusal.problems)
    else:
        assert name_problem(sweep.name) is None


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_without_none(entry) for entry in value if entry is not None]
    return value


@QUICK
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_as_a_sweep_file_are_refused_with_a_message(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "any.toml"
    file.write_bytes(content)
    with pytest.raises(SweepFileError) as refusal:
        load_sweep(file)
    assert refusal.value.message


FIELDS = st.text(max_size=6) | st.sampled_from(
    ["u1", "4", "4.5", "NaN", "1e999", "-1", '"', "'", "1000", "", " ", "b'1'", "\x00", "\ufeff"]
)


@QUICK
@given(
    rows=st.lists(st.lists(FIELDS, min_size=0, max_size=6), max_size=6),
    separator=st.sampled_from([",", "\t", ";", "|"]),
    n_sound=st.sampled_from([0, 120]),
)
def test_any_rows_as_a_table_are_read_or_refused_never_a_traceback(
    tmp_path: Path, rows: list[list[str]], separator: str, n_sound: int
) -> None:
    lines = [tables.HEADER, *tables.ROWS[:n_sound]]
    lines = [line.replace(",", separator) for line in lines] + [separator.join(r) for r in rows]
    path = tmp_path / "any.csv"
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    columns = {name: name for name in tables.HEADER.split(",")}
    try:
        loaded = load_dataset(DatasetConfig(path=path, columns=columns), SplitConfig())
    except DataError as refusal:
        assert all(problem.strip() for problem in refusal.problems)
    else:
        assert np.isfinite(loaded.encoded.train.rating).all()


@given(name=st.text(max_size=80))
def test_a_name_that_is_accepted_is_one_plain_folder_inside_the_studies(name: str) -> None:
    if name_problem(name) is not None:
        return
    root = Path("/studies")
    assert Path(os.path.normpath(root / name)).parent == root
    assert set(name) <= set(string.ascii_letters + string.digits + "._-")


@pytest.mark.parametrize("name", ["", ".", "..", "../mine", "a/../../b", "\x00", "-rf", "x" * 300])
def test_a_study_that_is_not_there_is_refused_whatever_its_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no study"):
        study_folder(name, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["show", "nobody"], 2),
        (["show", "nobody:x"], 2),
        (["resume", "../../etc"], 2),
        (["report", "\udcff"], 2),
        (["run", "no-such-sweep"], 2),
        (["run", "/dev/null"], 2),
        (["run", "x" * 300], 2),
        (["run", "a\x00b"], 2),
        (["run", "quickstart", "--set", "search.trials=" + "9" * 5000], 2),
        (["run", "quickstart", "--set", "search.trials=" + "[" * 3000], 2),
        (["run", "quickstart", "--set", "=1"], 2),
        (["run", "quickstart", "--studies", "/dev/null"], 2),
        (["run", "quickstart", "--gpu-share", "2"], 2),
        (["run", "quickstart", "--set", "name=../../up"], 2),
        (["run", "quickstart", "--stop-at", "soon"], 2),
        (["train", "quickstart"], 2),
        (["repair", "nobody"], 2),
    ],
)
def test_a_bad_command_line_ends_with_its_code_and_no_traceback(
    arguments: list[str],
    exit_code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["recsweep", *arguments])
    with pytest.raises(SystemExit) as ending:
        command.main()
    assert ending.value.code == exit_code
    said = capsys.readouterr().err
    assert said.strip()
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_every_kind_of_refusal_has_a_code_of_its_own() -> None:
    codes = [kind.exit_code for kind in RecsweepError.__subclasses__()]
    assert len(set(codes)) == len(codes)
