from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.records import StudyRecord, TrialState
from recommender.datasets.registry import DATASETS
from reports import noise, numbers, ranking
from reports.blocks import Facts
from reports.comparing.changes import changes
from reports.described import MOVIELENS
from reports.exports import column_definitions
from reports.model_card import model_card
from reports.paper.checklist import checklist
from reports.paper.citations import bibtex
from reports.paper.latex import (
    document,
    escape,
    leaderboard_table,
    unsealed_table,
    verdict_table,
)
from reports.paper.methods import methods_paragraph
from reports.render import ReportPaths, write_report
from reports.sections.provenance import provenance
from tests.reports.conftest import MakeStudy, without_complete
from tests.reports.latex import PDFLATEX, cells, compile_latex
from tests.reports.verdicts import judged, opened

pytestmark = pytest.mark.slow

HOSTILE = (
    '\\input{/etc/passwd} $x_1$ & 50 % #1 {a} ~^ <b> | "q" é 中 − ≥2 ☃3 €£§°µ²³½¼¾№“”„«»…•\nnext'
)


def plus_minus(half: float) -> str:
    return "" if pd.isna(half) else rf" $\pm$ {half:.4f}"


def test_the_numbers_of_the_table_equal_those_of_the_csv(
    study: StudyRecord, paths: ReportPaths
) -> None:
    table = next(p for p in paths.paper if p.name == "table.tex").read_text("utf-8")
    by_number = pd.read_csv(paths.csv).set_index("number")
    rows = re.findall(
        r"^ *(\d+) & \\raggedright \\#(\d+)[^&]*& (\\textbf\{)?([\d.]+)\}? & (\S+) &",
        table,
        re.MULTILINE,
    )
    assert len(rows) >= 10
    within = {trial.number for trial in ranking.trials_within_noise(study)}
    for rank, number, bold, rmse, to_bias in rows:
        assert bool(bold) == (int(number) in within)
        row = by_number.loc[int(number)]
        assert row["rank"] == int(rank)
        assert f"{row['best_rmse']:.4f}" == rmse
        assert f"{row['to_bias']:+.4f}".replace("-", "$-$") == to_bias


@given(st.text())
def test_nothing_in_escaped_text_is_a_command_but_ours(text: str) -> None:
    escaped = escape(text)
    either = r"\\ifdefined\\Umathcode [^\W\d_]\\else U\+[0-9A-F]{4,6} \\fi\{\}"
    signs = r"\$-\$|\$\\(times|pm|leq|geq|approx|rightarrow)\$"
    ours = rf"{either}|\\text[a-z]+\{{\}}|\\[{{}}$&#%_]|{signs}"
    assert not re.search(r"[\\{}$&#%_^~<>|\n]", re.sub(ours, "", escaped))
    assert all(letter < "ƀ" or letter in "№“”„…•€" for letter in re.sub(either, "", escaped))


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex")
def test_the_paper_compiles_whatever_the_names_are(study: StudyRecord, tmp_path: Path) -> None:
    hostile = replace(
        study, trials=tuple(replace(t, arm=f"{t.arm} {HOSTILE}") for t in study.trials)
    )
    best, other = hostile.ranked[:2]
    hostile = judged(hostile, {best.number: 0.0, other.number: 0.01})
    tables = leaderboard_table(hostile) + verdict_table(hostile)
    done = compile_latex(document(tables, escape(methods_paragraph(hostile) + HOSTILE)), tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex; Debian: texlive-latex-recommended")
def test_the_files_of_a_report_compile_as_they_stand(
    judged_paths: ReportPaths, tmp_path: Path
) -> None:
    files = {p.name: p.read_text("utf-8") for p in judged_paths.paper}
    assert {"table.tex", "methods.tex", "paper.tex", "references.bib"} <= files.keys()
    assert files["table.tex"] in files["paper.tex"]
    narrow = files["paper.tex"].replace(r"\usepackage[margin=2cm]{geometry}", "")
    for text in (files["paper.tex"], narrow):
        done = compile_latex(text, tmp_path)
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Overfull" not in done.stdout


@pytest.mark.skipif(shutil.which("bibtex") is None, reason="no bibtex")
def test_the_references_are_understood(study: StudyRecord, tmp_path: Path) -> None:
    (tmp_path / "references.bib").write_text(bibtex(study), "utf-8")
    (tmp_path / "paper.aux").write_text(
        "\\citation{*}\n\\bibdata{references}\n\\bibstyle{plain}\n", "utf-8"
    )
    done = subprocess.run(
        ["bibtex", "paper"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "arning" not in done.stdout.replace("no author and editor", "")


def test_the_numbers_of_the_finalists_equal_those_of_the_csv(
    judged_study: StudyRecord, judged_paths: ReportPaths
) -> None:
    bias = judged_study.baseline("bias")
    csv = pd.read_csv(judged_paths.html.with_name("verdict.csv")).groupby("finalist").first()
    rows = cells(verdict_table(judged_study))
    baselines = judged_study.baselines
    assert len(rows) == len(csv) and bias is not None
    assert {b.name for b in baselines} <= set(csv.index)
    table = next(p for p in judged_paths.paper if p.name == "table.tex").read_text("utf-8")
    assert verdict_table(judged_study) in table
    results = judged_study.verdict_results
    assert results is not None
    for row, (name, found) in zip(rows, csv.sort_values("mean").iterrows(), strict=True):
        _, mean, to_bias, to_first, p, p_best = row
        half = (found.mean_high - found.mean_low) / 2
        assert mean == f"{found['mean']:.4f}{plus_minus(half)}"
        assert to_bias == numbers.gap(found["mean"] - bias.val_rmse).replace("−", "$-$")
        if results.finalist(str(name)) is None:
            assert (to_first, p, p_best) == ("", "", "") and name in {b.name for b in baselines}
            continue
        pair = results.pair(str(name), results.finalists[0].name)
        if pair is None:
            assert (to_first, p) == ("--", "--")
        else:
            assert to_first == f"{pair.estimate:+.4f}{plus_minus((pair.high - pair.low) / 2)}"
            assert p == numbers.p_value(pair.holm_p).replace("<", r"\textless{}")
        assert p_best == ("--" if pd.isna(found.p_best) else f"{found.p_best:.2f}")


def test_the_numbers_on_the_test_split_are_a_table(
    judged_study: StudyRecord, judged_paths: ReportPaths
) -> None:
    csv = pd.read_csv(judged_paths.html.with_name("test.csv"))
    means = csv[csv.fitted_on == "train"].groupby("model")["mean"].first().sort_values()
    table = unsealed_table(judged_study)
    assert [row[1].split()[0] for row in cells(table)] == [f"{mean:.4f}" for mean in means]
    assert table in next(p for p in judged_paths.paper if p.name == "table.tex").read_text("utf-8")
    assert table.count(r"\textbf{") == 1  # it beats the others
    assert "Trained again on train and validation together, \\#" in table
    assert unsealed_table(replace(judged_study, test=None)) == ""


def test_a_baseline_above_the_finalists_on_test_is_told_in_the_caption(
    judged_study: StudyRecord,
) -> None:
    table = unsealed_table(judged_study)
    assert "Bold: the first, and" in table and "lowest test RMSE" not in table
    assert judged_study.test is not None
    lowest = {**judged_study.test.baselines, "item_mean": 0.9}
    beaten = unsealed_table(
        replace(judged_study, test=replace(judged_study.test, baselines=lowest))
    )
    assert r"\textbf" not in " ".join(cells(beaten)[0])
    assert "Bold: of the finalists, the first and those that it does not beat." in beaten
    assert "The lowest test RMSE is a baseline's: item mean 0.9000." in beaten


def test_the_leader_of_the_test_table_is_a_trial_also_below_a_size_control(
    study: StudyRecord,
) -> None:
    first = study.ranked[0]
    below = opened(judged(study, {first.number: 0.02}, control=0.01))
    assert below.verdict_results is not None
    assert below.verdict_results.finalists[0].name != first.name
    told = rf"minus that of \#{first.number} dcn, default, of the trials the first on validation"
    assert told in unsealed_table(below)


def test_the_caption_names_the_default_where_the_table_has_it(study: StudyRecord) -> None:
    assert ", the default and the baselines on ml-100k" in leaderboard_table(study)
    lost = tuple(
        replace(t, state=TrialState.PRUNED) if t.is_default else t for t in study.search_trials
    )
    assert "complete trials and the baselines on" in leaderboard_table(replace(study, trials=lost))


def test_every_row_of_the_table_has_seven_cells(study: StudyRecord) -> None:
    rows = cells(leaderboard_table(study))
    assert len(rows) > 10
    assert {len(row) for row in rows} == {7}


def test_the_seed_of_a_split_is_told_also_where_it_is_0(study: StudyRecord) -> None:
    split = {"method": "random", "train": 0.6, "validation": 0.2, "seed": 0}
    data = dict(study.provenance["dataset"]) | {"split": split}
    text = methods_paragraph(replace(study, provenance=dict(study.provenance) | {"dataset": data}))
    assert "The random (train 0.6, validation 0.2, seed 0) split gave" in text


def test_the_methods_paragraph_tells_what_is_on_record(study: StudyRecord) -> None:
    text = methods_paragraph(study)
    for said in (
        "65,336 train, 15,778 validation and 18,886 test", "24 trials (12 plain, 12 dcn)",
        "under seed 0", "at most 12 epochs", "The median pruner could", "user + item bias 1.0400",
        "learning_rate from 0.0003 to 0.005 (log) where optimizer is adam or adamw, "
        "from 0.03 to 0.3 (log) where optimizer is adagrad;", "no test of significance",
        "layer_size of 32, 64 and 128 for each of n_layers;",
        "cross_layers from 1 to 3 where architecture is dcn.",
        "Fixed for all trials: batch_size 1024.",
    ):  # fmt: skip
        assert said in text


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "with NVIDIA X"), (0.5, "with NVIDIA X"), (0.0, "without a GPU")]
)
def test_gpus_that_no_trial_had_are_not_told(study: StudyRecord, share: float, said: str) -> None:
    about = {
        "machine": {"cpu": "a CPU", "cpu_count": 8, "gpus": [{"name": "NVIDIA X"}]},
        "resources": {"gpus": share},
    }
    had = replace(study, provenance=study.provenance | about)
    assert f"on 8 cores, a CPU, {said}." in methods_paragraph(had)
    assert f"8 cores, a CPU, {said}" in [item.evidence for item in checklist(had)]
    (facts,) = (block for block in provenance(had).blocks if isinstance(block, Facts))
    assert dict(facts.items)["GPUs"] == ("none used" if share == 0 else "NVIDIA X")


def test_what_was_done_to_a_table_before_it_was_read_is_on_no_record(study: StudyRecord) -> None:
    def told(sweep_data: dict[str, str], *notes: str) -> tuple[str, str]:
        data = study.provenance["dataset"] | {"name": "r.csv", "notes": [*notes]}
        there = replace(
            study,
            sweep=study.sweep | {"dataset": sweep_data},
            provenance=study.provenance | {"dataset": data},
        )
        (item,) = (i for i in checklist(there) if i.question.startswith("What cleaning"))
        return item.answer, item.evidence

    assert told({"name": "ml-100k"}) == ("yes", "nothing to clean")
    answer, evidence = told({"path": "r.csv"}, "b.csv lacks 2 of 9 items", "r.csv: x")
    assert answer == "not recorded"
    assert evidence.endswith("; as it was read: b.csv lacks 2 of 9 items; r.csv: x")


def test_the_methods_tell_pairs_rated_again_and_what_models_count_ratings_in(
    study: StudyRecord,
) -> None:
    again = "r.csv: 7 rows rate a user-item pair again; the latest of each pair is kept"
    data = study.provenance["dataset"] | {"rating_unit": 8192.0, "notes": ["r.csv: x", again]}
    of_wholes = replace(study, provenance=study.provenance | {"dataset": data})
    told = methods_paragraph(of_wholes)
    assert "their loss" not in told and "fitted to the mean squared" not in told
    varied = {**study.sweep["space"], "embedding_l2": {"low": 0.0, "high": 1.0}}
    told = methods_paragraph(replace(of_wholes, sweep=study.sweep | {"space": varied}))
    assert "models were fitted to the mean squared error. Within" in told
    assert " 7 rows rate a user-item pair again; the latest of each pair is kept. The " in told
    assert "ratings were divided by 8192, the power of 2 next to their standard" in told
    assert "divided by" not in methods_paragraph(study)


def test_the_methods_name_defaults_and_what_was_drawn_at_random(study: StudyRecord) -> None:
    plain = {"activation": "relu", "input_dropout": 0.3, "embedding_l2": 1.0}
    left_open = {
        "model": {"plain": plain | {"layer_size": 8}, "dcn": plain | {"cross_rank": 0}},
        "sampler": {"n_startup_trials": 12},
        "pruner": {"n_warmup_epochs": 3},
    }
    search = study.sweep["search"] | {"sampler": {"name": "tpe", "n_candidates": 9}}
    tpe = replace(
        study,
        sweep=dict(study.sweep) | {"search": search},
        provenance=dict(study.provenance) | {"left_open": left_open},
    )
    text = methods_paragraph(tpe)
    assert "recsweep's models were fitted to the mean squared error." in text
    assert (
        "at its default: activation relu, input_dropout 0.3, embedding_l2 1; of plain, where the "
        "space leaves it out: layer_size 8; of dcn: cross_rank 0." in text
    )
    assert "the tpe (n_candidates 9, n_startup_trials 12) sampler under seed 0. It draws at" in text
    assert "It draws at random until an arm has 12 trials, and none had more." in text
    assert "The median (n_warmup_epochs 3) pruner could stop" in text
    (facts,) = (block for block in provenance(tpe).blocks if isinstance(block, Facts))
    told = dict(facts.items)
    assert told["sampler"] == "tpe (n_candidates 9, n_startup_trials 12)"
    assert told["pruner"] == "median (n_warmup_epochs 3)"
    fewer = dict(left_open) | {"sampler": {"n_startup_trials": 4}}
    learned = replace(tpe, provenance=dict(study.provenance) | {"left_open": fewer})
    assert "It draws at random until an arm has 4 trials. A trial" in methods_paragraph(learned)
    assert "at random" not in methods_paragraph(study)


def test_an_architecture_that_nobody_named_is_told(study: StudyRecord) -> None:
    space = {name: of for name, of in study.sweep["space"].items() if name != "architecture"}
    sweep = dict(study.sweep) | {"space": space, "model": {}}
    provenance_ = {**study.provenance, "left_open": {"model": {"plain": {"activation": "relu"}}}}
    silent = replace(study, sweep=sweep, provenance=provenance_)
    said = "architecture plain, activation relu"
    assert f"What the sweep does not set was at its default: {said}." in methods_paragraph(silent)
    (facts,) = (block for block in provenance(silent).blocks if isinstance(block, Facts))
    assert dict(facts.items)["at defaults"] == said
    named = replace(silent, sweep=sweep | {"model": {"architecture": "plain"}})
    assert "was at its default: activation relu." in methods_paragraph(named)
    assert "Fixed for all trials: architecture plain." in methods_paragraph(named)
    assert changes((silent, named)) == ()
    dcn = replace(named, sweep=sweep | {"model": {"architecture": "dcn"}})
    assert changes((silent, dcn)) == (("model.architecture", ("plain", "dcn")),)


def test_what_a_researcher_wrote_is_told_with_all_its_digits(study: StudyRecord) -> None:
    decay = {"choices": [0.9992, 0.9998, 1.0], "when": {"embedding_size": [16]}}
    dropout = {"low": 0.12345, "high": 0.12355, "when": {"biases": [True]}}
    sweep = dict(study.sweep) | {
        "space": {"learning_rate_decay": decay, "dropout": dropout},
        "model": {"learning_rate": 0.0012345, "embedding_l2": 1234.5},
    }
    defaults = {"dropout": 0.3, "user_oov_rate": 0.3}
    left_open = {"model": {"plain": defaults, "dcn": defaults}}
    told = replace(study, sweep=sweep, provenance={**study.provenance, "left_open": left_open})
    text = methods_paragraph(told)
    assert "learning_rate_decay of 0.9992, 0.9998 and 1 where embedding_size is 16" in text
    assert "dropout from 0.12345 to 0.12355 where biases is yes." in text
    assert "Fixed for all trials: learning_rate 0.0012345, embedding_l2 1234.5." in text
    assert "at its default: user_oov_rate 0.3; where the space leaves it out: dropout 0.3." in text
    card = model_card(told, study.ranked[0])
    assert "- fixed, where the model has them: embedding_l2 1234.5\n" in card
    assert "- at their defaults, where the model has them: user_oov_rate 0.3\n" in card
    assert "- dropout: " in card
    assert f"- learning_rate: {study.ranked[0].values['learning_rate']!r}\n" in card


@pytest.mark.parametrize(
    ("pruner", "could"),
    [
        ({"n_warmup_epochs": 11, "n_startup_trials": 11}, "could stop weak trials."),
        ({"n_warmup_epochs": 12, "n_startup_trials": 11}, "had too few epochs to stop any."),
        ({"n_warmup_epochs": 11, "n_startup_trials": 12}, "had too few trials to stop any."),
    ],
)
def test_a_pruner_that_could_stop_no_trial_is_not_said_to(
    study: StudyRecord, pruner: dict[str, int], could: str
) -> None:
    left_open = {"left_open": {"pruner": pruner}}
    told = methods_paragraph(replace(study, provenance=study.provenance | left_open))
    assert f"pruner {could} Of all trials" in told


def test_the_methods_tell_a_time_limit_and_trials_that_are_open(study: StudyRecord) -> None:
    limited = {**study.sweep, "search": study.sweep["search"] | {"timeout": 7200.0}}
    within = methods_paragraph(replace(study, sweep=limited))
    assert "The sweep limited the search to 2 h 00 min. " in within and "had not" not in within
    more = replace(study, state="interrupted", n_trials_asked_for=30)
    text = methods_paragraph(more)
    assert "When this was written 6 of the 30 asked for had not ended." in text
    assert "limited" not in text
    ended = methods_paragraph(replace(more, sweep=limited, is_out_of_time=True))
    assert "to 2 h 00 min, and time ended it before the 30 trials asked for." in ended
    assert "had not ended" not in ended


def test_one_is_told_in_the_singular(study: StudyRecord) -> None:
    trial = study.ranked[0]
    short = replace(trial, epochs=trial.epochs[:1])
    search = study.sweep["search"] | {"max_epochs": 1, "patience": 1}
    described = study.provenance["dataset"]
    of_one_user = described | {"validation": described["validation"] | {"n_users": 1}}
    one = replace(
        study,
        trials=(short,),
        sweep={**study.sweep, "search": search},
        provenance={**study.provenance, "dataset": of_one_user},
    )
    text = methods_paragraph(one)
    assert "A trial was trained for at most 1 epoch." in text  # patience could end none
    assert "Of all trials 1 completed, 0 were pruned" in text
    assert "trained for 1 epoch under seed" in model_card(one, short)
    assert "scaled to 1 user, not measured here" in noise.usual(one).source


def test_the_checklist_states_the_seeds_of_sweep_trials_and_verdict(study: StudyRecord) -> None:
    def told(study: StudyRecord) -> str:
        return next(i.evidence for i in checklist(study) if i.question == "Seeds are stated")

    assert told(study) == "0 of the sweep"  # as studies of old versions
    apart = replace(study, trials=tuple(replace(t, seed=t.number + 7) for t in study.trials))
    of_trials = "one of each trial in trials.csv, by the search's and the number"
    assert told(apart) == f"0 of the sweep; {of_trials}"
    of_fold = replace(study, provenance={**study.provenance, "seed": 7})
    assert told(of_fold) == "0 of the sweep; 7 of its search, which follows from it and the split"
    assert "under seed 7 (which follows from 0 and the split)." in methods_paragraph(of_fold)
    judged_too = judged(study, {0: 0.03})
    seeds = ", ".join(map(str, judged_too.verdict.seeds))  # type: ignore[union-attr]
    assert told(judged_too).endswith(f"{seeds} of the verdict")


def test_a_bare_study_has_a_paragraph_and_a_checklist_without_inventions(
    study: StudyRecord,
) -> None:
    bare = replace(
        study, trials=(), baselines=(), importance=(), columns=(), provenance={}, sweep={}
    )
    assert "ml-100k" not in methods_paragraph(bare)
    answers = {item.question: item.answer for item in checklist(bare)}
    assert answers["The data set is named, with its size"] == "not recorded"
    assert answers["The default configuration was tried, as far as its space holds it"] == "no"
    assert answers["All of the code is kept"] == "not recorded"


def test_a_default_outside_the_space_is_told_with_what_stands_for_it(study: StudyRecord) -> None:
    assert "The default configuration was the first trial" in methods_paragraph(study)
    moved = {"n_layers": [2, 3]}
    by_arm = {"plain": moved, "dcn": moved | {"dropout": [0.0, 0.1]}}
    shown = replace(study, provenance={**study.provenance, "default_moved": by_arm})
    stands = "n_layers 3 for 2 and dropout 0.1 for 0 in dcn"
    assert f"configuration (with {stands}, which the space does not hold) was" in (
        methods_paragraph(shown)
    )
    evidence = {item.question: item.evidence for item in checklist(shown)}
    assert evidence["The default configuration was tried, as far as its space holds it"].endswith(
        f"; {stands}"
    )


def test_the_checklist_says_no_where_the_record_does(study: StudyRecord) -> None:
    dirty = replace(
        study, provenance=dict(study.provenance) | {"git": {"commit": "abc", "dirty": True}}
    )
    answers = {item.question: item.answer for item in checklist(dirty)}
    assert answers["All of the code is kept"] == "no"
    own = {"gated": {"files": ["mine.py"]}, "metric also": {"files": ["mine.py", "more.py"]}}
    mine = replace(study, provenance=dict(study.provenance) | {"code": own})
    told = next(i.evidence for i in checklist(mine) if i.question == "All of the code is kept")
    assert told == "nothing was uncommitted; own files in code/: mine.py, more.py"
    assert answers["Results have error bars over seeds"] == "no"
    assert answers["What is compared got the same number of trials"] == "yes"
    uneven = replace(study, trials=study.trials[:-1])
    answers = {item.question: item.answer for item in checklist(uneven)}
    assert answers["What is compared got the same number of trials"] == "no"


def test_only_what_the_study_used_is_cited(study: StudyRecord, make: MakeStudy) -> None:
    assert re.findall(r"^@\w+\{(\w+),", bibtex(study), re.MULTILINE) == [
        "recsweep", "optuna", "raytune", "tensorflow", "dcnv2", "movielens",
    ]  # fmt: skip
    sweep = dict(study.sweep) | {"dataset": {"path": "ml-100k.csv", "columns": {}}}
    other = replace(study, trials=(), sweep=sweep)
    assert "dcnv2" not in bibtex(other) and "movielens" not in bibtex(other)
    assert bibtex(study).count("{") == bibtex(study).count("}")
    assert set(DATASETS) >= MOVIELENS


def test_an_architecture_that_the_sweep_fixes_is_known_to_references_and_card(
    study: StudyRecord,
) -> None:
    def with_fixed(architecture: str | None) -> StudyRecord:
        model = {} if architecture is None else {"architecture": architecture}
        trials = tuple(
            replace(
                trial,
                arm="16",
                values={n: v for n, v in trial.values.items() if n != "architecture"},
            )
            for trial in study.trials
        )
        sweep = dict(study.sweep) | {"model": model, "compare": {"dimension": "embedding_size"}}
        return replace(study, sweep=sweep, trials=trials)

    for architecture, told in (("dcn", "dcn"), (None, "plain"), ("mine.py:gated", "gated")):
        fixed = with_fixed(architecture)
        assert ("dcnv2" in bibtex(fixed)) is (architecture == "dcn")
        assert f"A rating model ({told}, " in model_card(fixed, fixed.ranked[0])


def test_a_study_without_a_complete_trial_has_its_files_too(
    study: StudyRecord, tmp_path: Path
) -> None:
    paths = write_report(without_complete(study), tmp_path)
    assert all(path.stat().st_size for path in paths.paper)


def test_the_schema_describes_every_column_of_the_csv(paths: ReportPaths) -> None:
    fields = json.loads(paths.schema.read_text("utf-8"))["fields"]
    assert [field["name"] for field in fields] == list(pd.read_csv(paths.csv).columns)
    types = {field["name"]: field["type"] for field in fields}
    assert (types["best_rmse"], types["rank"], types["asked_at"]) == (
        "number", "integer", "datetime",
    )  # fmt: skip


def test_parquet_carries_the_definitions(study: StudyRecord, paths: ReportPaths) -> None:
    schema = pyarrow.parquet.read_schema(paths.parquet)
    told = {f.name: (f.metadata or {}).get(b"description", b"").decode() for f in schema}
    assert told == column_definitions(study)


def test_the_documentation_defines_every_column(study: StudyRecord) -> None:
    text = (Path(__file__).parents[2] / "docs" / "report-files.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", text, re.MULTILINE))
    own = {column.name for column in study.columns} | set(study.metrics)
    assert documented == {
        name: definition
        for name, definition in column_definitions(study).items()
        if name not in own
    }


def test_defaults_and_what_was_given_beforehand_are_not_the_sampler_s(study: StudyRecord) -> None:
    trials = tuple(replace(t, is_enqueued=t.number in (2, 3)) for t in study.trials)
    text = methods_paragraph(replace(study, trials=trials))
    assert "ran 24 trials (12 plain, 12 dcn) with the random sampler under seed 0." in text
    assert "first trial of every arm. The values of 2 others were given beforehand." in text
    assert "given beforehand" not in methods_paragraph(study)


def test_a_verdict_is_told_in_table_paragraph_and_checklist(study: StudyRecord) -> None:
    best, other = study.ranked[:2]
    decided = judged(study, {best.number: 0.0, other.number: 0.02})
    assert decided.verdict is not None and decided.verdict.results is not None
    table = verdict_table(decided)
    for found in decided.verdict.results.finalists:
        assert f"{found.mean:.4f}" in table
    assert "over 5 fresh seeds, of a baseline its one RMSE, on" in table
    assert verdict_table(study) == ""
    text = methods_paragraph(decided)
    assert "Holm's over 3 pairs" in text and "5 fresh seeds" in text
    assert "two tie where the whole interval lies within 0.003 RMSE, and one is better" in text
    assert "the models among them trained again" in text and "Of these" not in text
    assert "no test of significance" not in text
    answers = {item.question: item.answer for item in checklist(decided)}
    assert answers["Results have error bars over seeds"] == "yes"


def test_finalists_that_all_failed_have_no_error_bars_and_no_tests(study: StudyRecord) -> None:
    best, other = (trial.number for trial in study.ranked[:2])
    lost = judged(study, {best: 0.0, other: 0.02}, failed=(best, other))
    items = {item.question: item for item in checklist(lost)}
    bars = items["Results have error bars over seeds"]
    assert (bars.answer, bars.evidence) == (
        "no",
        "0 models complete under 5 fresh seeds, of 2 that were judged",
    )
    assert items["Differences were tested, with correction for many"].answer == "no"
    said = "Of these 2 failed or diverged under a seed and were compared with none."
    assert said in methods_paragraph(lost)


def test_trials_that_came_after_the_list_was_frozen_are_said_not_to_be_judged(
    study: StudyRecord,
) -> None:
    best, other = study.ranked[:2]
    decided = judged(study, {best.number: 0.0, other.number: 0.02})
    assert "not judged" not in methods_paragraph(decided) + verdict_table(decided)
    trials = [replace(t, ended_at=9e9) if t in study.ranked[-2:] else t for t in decided.trials]
    late = replace(decided, trials=tuple(trials))
    said = "2 trials of the search had not ended when the list was frozen and were not judged."
    assert said in methods_paragraph(late) and said in verdict_table(late)


def test_who_opened_the_test_part_is_told(study: StudyRecord) -> None:
    assert "sealed and never opened" in methods_paragraph(study)
    best, other = study.ranked[:2]
    unsealed = opened(judged(study, {best.number: 0.0, other.number: 0.02}), n_openings=3)
    assert unsealed.test is not None
    own = "1 time by this study after its finalists were frozen"
    others = "2 times by other studies of the same split"
    text = methods_paragraph(unsealed)
    assert f"was opened {own} and {others}; on its" in text
    for found in unsealed.test.results.finalists:
        assert f"{found.mean:.4f}" in text
    assert "at the epoch of their lowest validation RMSE, means" in text
    assert "Trained again on train and validation together, for as many epochs, " in text
    renamed = methods_paragraph(replace(unsealed, name="another"))
    assert "was opened 3 times; on its" in renamed and "other studies" not in renamed
    elsewhere = methods_paragraph(replace(study, openings=unsealed.openings[1:]))
    assert f"was opened {others}." in elsewhere


def test_a_test_part_that_was_open_before_the_search_was_not_kept_from_it(
    study: StudyRecord,
) -> None:
    best, other = study.ranked[:2]
    late = opened(judged(study, {best.number: 0.0, other.number: 0.02}), n_openings=2)
    early = replace(late, openings=(replace(late.openings[1], at=0.0), late.openings[0]))
    question = "The test part was kept from search and choice"
    answers = [{i.question: i for i in checklist(s)}[question] for s in (late, early)]
    assert [item.answer for item in answers] == ["yes", "no"]
    assert answers[1].evidence == "opened 2 times, 1 before the search had ended"
    assert "(1 before the search had ended)" in methods_paragraph(early)
