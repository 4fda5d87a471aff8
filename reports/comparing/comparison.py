"""Several studies in one report: what changed between them, and who is ahead where that is fair.

Trials of different studies are ranked together only where they were judged on the same rows, that
is, where the fingerprints of ratings and split are equal. Elsewhere each study stands by
the gap to the bias baseline of its own rows.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_uppercase

import pandas as pd

from experiments.files import atomic_write, replacing
from experiments.records import BaselineRecord, StudyRecord, TrialRecord
from reports import labels, noise, numbers, ranking
from reports.blocks import Block, Column, Headline, Note, Row, Section, Table, Text
from reports.comparing.arms_across import arms_across
from reports.comparing.changes import changes, recorded_changes
from reports.comparing.over_splits import (
    groups_of_splits,
    headline_over_splits,
    section_over_splits,
)
from reports.comparing.side_by_side import rating_ranges, side_by_side, unit_of
from reports.described import described
from reports.exports import COMPARED_COLUMNS, trials_frame, write_csv
from reports.judging.decision import headline_of_verdict
from reports.judging.openings import n_early_openings, openings_text
from reports.pages import Page, figure_files, html, markdown
from reports.paper.latex import PREAMBLE, table_of_page
from reports.trained_with import git

N_ROWS = 20
N_NAMES = 10
"""In a page's head; all stand in its first table."""
_NOT_IN_PRINT = ("time", "validation rows", "seed")
"""Columns for which a printed page has no room."""

Rows = tuple[str | None, str | None]
"""Fingerprints of ratings and split: equal for studies that are judged on the same rows."""


@dataclass(frozen=True, slots=True)
class ComparisonPaths:
    """What was written."""

    html: Path
    markdown: Path
    csv: Path
    tables: Path
    """For LaTeX."""
    figures: tuple[Path, ...]
    """Each as SVG, then each as PNG, then their captions."""


def write_comparison(studies: Sequence[StudyRecord], folder: Path) -> ComparisonPaths:
    """Write the report of two or more studies; each file whole or not at all."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    studies = told_apart(studies)
    names = [study.name for study in studies]
    if len(names) > N_NAMES:
        names[N_NAMES:] = [f"{len(names) - N_NAMES} more"]
    page = Page(
        title=" · ".join(names),
        sections=comparison_sections(studies),
        files="The same numbers: comparison.md · every trial in full precision, with its place in "
        "its own study and among all on the same rows: trials.csv · for papers: tables.tex, "
        "figures/",
        subject=f"{len(studies)} studies compared",
        status="; ".join(f"{s.name} is {s.state}" for s in studies if not s.is_finished),
    )
    figures = figure_files(page)
    paths = ComparisonPaths(
        html=folder / "comparison.html",
        markdown=folder / "comparison.md",
        csv=folder / "trials.csv",
        tables=folder / "tables.tex",
        figures=tuple(folder / "figures" / name for name in figures),
    )
    for path in paths.figures:
        atomic_write(path, figures[path.name])
    with replacing(paths.csv) as temporary:
        write_csv(_trials(studies), temporary)
    atomic_write(paths.tables, _tables(page.sections))
    atomic_write(paths.markdown, markdown(page))
    atomic_write(paths.html, html(page))
    return paths


def _trials(studies: Sequence[StudyRecord]) -> pd.DataFrame:
    """Those of each study, with the letter and the place that the page gives them."""
    groups = studies_by_rows(studies)
    letters = _letters(groups)
    places = {
        (study.folder, trial.number): place
        for group in groups
        for place, (study, trial, _) in enumerate(_ranking(group), start=1)
    }
    frames = []
    for study in studies:
        frame = trials_frame(study)
        ranks = [places.get((study.folder, trial.number)) for trial in study.trials]
        added = (study.name, letters[study.folder], pd.Series(ranks, dtype="Int64"))
        told = pd.DataFrame(dict(zip(COMPARED_COLUMNS, added, strict=True)), index=frame.index)
        told = told.astype({"study": "string", "rows": "string"})  # of no trials, too
        frames.append(pd.concat([told, frame], axis=1))
    return pd.concat(frames, ignore_index=True)


def _letters(groups: Sequence[Sequence[StudyRecord]]) -> dict[Path, str]:
    """By folder; studies with the same one were judged on the same rows."""
    return {
        study.folder: f"{ascii_uppercase[i % 26]}{i // 26 or ''}"
        for i, group in enumerate(groups)
        for study in group
    }


def told_apart(studies: Sequence[StudyRecord]) -> list[StudyRecord]:
    """Those of one name are called by their paths, from the folder that holds all of them."""
    counts = Counter(study.name for study in studies)
    above = os.path.commonpath([study.folder.resolve().parent for study in studies])
    return [
        replace(study, name=str(study.folder.resolve().relative_to(above)))
        if counts[study.name] > 1
        else study
        for study in studies
    ]


def comparison_sections(studies: Sequence[StudyRecord]) -> dict[str, Section]:
    """By anchor; several rankings where some of the studies share their rows and others do not."""
    groups = studies_by_rows(studies)
    splits = groups_of_splits(studies)
    sections = {"summary": _summary(studies, groups, splits)}
    for i, alike in enumerate(splits, start=1):
        sections[f"splits-{i}"] = section_over_splits(alike)
    if (pictures := side_by_side(studies)) is not None:
        sections["side-by-side"] = pictures
    if (arms := arms_across(studies)) is not None:
        sections["arms"] = arms
    shared = [group for group in groups if len(group) > 1]
    for i, group in enumerate(shared, start=1):
        title = "Ranked together" if len(shared) == 1 else f"Ranked together: group {i}"
        sections[f"ranked-{i}"] = _ranked(title, group)
    sections["changes"] = _changes(studies)
    return sections


def _tables(sections: Mapping[str, Section]) -> str:
    """All tables but those of what changed, for LaTeX."""
    told = []
    for anchor, section in sections.items():
        if anchor == "changes":
            continue
        tables = [block for block in section.blocks if isinstance(block, Table)]
        for i, table in enumerate(tables, start=1):
            name = f"compared-{anchor}" + f"-{i}" * (len(tables) > 1)
            told.append(table_of_page(table, name, leave_out=_NOT_IN_PRINT))
    return PREAMBLE + "\n".join(told)


def rows_of(study: StudyRecord) -> Rows:
    data = described(study)
    return data.fingerprint, data.split_fingerprint


def studies_by_rows(studies: Sequence[StudyRecord]) -> tuple[tuple[StudyRecord, ...], ...]:
    """Studies that were judged on the same rows stand together; one without fingerprints alone."""
    groups: dict[object, list[StudyRecord]] = {}
    for study in studies:
        rows = rows_of(study)
        is_known = None not in rows
        groups.setdefault(rows if is_known else study.folder, []).append(study)
    return tuple(tuple(group) for group in groups.values())


def why_apart(one: StudyRecord, other: StudyRecord) -> str:
    """Why these two cannot be ranked together."""
    mine, theirs = rows_of(one), rows_of(other)
    if None in (*mine, *theirs):
        return "the fingerprint of data or split is not on record"
    if mine[0] != theirs[0]:
        return f"other ratings ({_data_text(one)}; {_data_text(other)})"
    return f"another split ({_split_text(one)}; {_split_text(other)})"


def _summary(
    studies: Sequence[StudyRecord],
    groups: tuple[tuple[StudyRecord, ...], ...],
    splits: Sequence[Sequence[StudyRecord]],
) -> Section:
    are_all_splits = len(splits) == 1 and len(splits[0]) == len(studies)
    answer = headline_over_splits(splits[0]) if are_all_splits else None
    blocks: list[Block] = [
        answer or _headline(groups),
        _standing(studies, groups),
        *_judged(studies),
        Note(
            "Each study's best is the best of many trials of one seed, chosen on the rows that it "
            "is judged on: the study with more trials has more luck. Compare bests only where the "
            "budgets are alike."
        ),
    ]
    return Section("Summary", tuple(blocks))


def _headline(groups: tuple[tuple[StudyRecord, ...], ...]) -> Headline:
    if len(groups) > 1:
        first = groups[0][0]
        reasons = "; ".join(
            f"{first.name} and {group[0].name}: {why_apart(first, group[0])}"
            for group in groups[1:]
        )
        shared = [group for group in groups if len(group) > 1]
        of_shared = "".join(
            f" {' and '.join(study.name for study in group)}: {said.text}. {said.detail}"
            for group in shared
            if (said := _headline((group,)))
        )
        return Headline(
            f"Not {'all ' * bool(shared)}ranked together: judged on different rows",
            f"{reasons}. Each stands by the gap to the bias baseline of its own rows.{of_shared}",
        )
    led = sorted(
        (ranking.objective(ranked[0]), study.name)
        for study in groups[0]
        if (ranked := study.ranked)
    )
    if len(led) < 2:
        return Headline("Nothing to compare yet", "Fewer than two studies have a complete trial.")
    (first_rmse, leader), (second_rmse, second) = led[:2]
    apart = second_rmse - first_rmse
    best = min(filter(None, map(_best_baseline, groups[0])), key=lambda b: b.val_rmse, default=None)
    if best is not None and first_rmse >= best.val_rmse:
        label = "the bias baseline" if best.name == "bias" else best.label
        return Headline(
            f"No model beats {label}",
            f"The best trial, of {leader}, has RMSE {numbers.rmse(first_rmse)}; {best.label} has "
            f"{numbers.rmse(best.val_rmse)}. The same rows judged all of them.",
        )
    return Headline(
        "Not decided: one seed each",
        f"The best trial of {leader} is {numbers.ahead(apart)} the best of {second}, "
        f"{noise.beside(_noisiest(groups[0]), apart)}. The same rows judged all of them.",
    )


def _best_baseline(study: StudyRecord) -> BaselineRecord | None:
    known = (b for b in study.baselines if math.isfinite(b.val_rmse))
    return min(known, key=lambda b: b.val_rmse, default=None)


def _standing(studies: Sequence[StudyRecord], groups: tuple[tuple[StudyRecord, ...], ...]) -> Table:
    letters = _letters(groups)
    entries = []
    for study in studies:
        ranked, lowest = study.ranked, _best_baseline(study)
        best = ranking.objective(ranked[0]) if ranked else None
        bias = ranking.bias_rmse(study)
        gap = None if best is None or bias is None else best - bias
        default = ranking.default_trial(study)
        own = default.best_rmse if default is not None and default.is_ranked else None
        n = ranking.counts(study.search_trials)
        cells = (
            study.name,
            letters[study.folder],
            numbers.gap(gap),
            numbers.rmse(best),
            labels.label(study, ranked[0]) if ranked else numbers.NOTHING,
            numbers.rmse(bias),
            numbers.rmse(lowest.val_rmse if lowest else None),
            numbers.gap(None if best is None or own is None else best - own),
            f"{n.complete:,} of {n.total:,}",
            numbers.seconds(sum(trial.seconds for trial in study.search_trials)),
            numbers.count(described(study).validation.n_rows),
        )
        entries.append((gap is None, (gap or 0.0) / unit_of(study, studies), Row(cells)))
    entries.sort(key=lambda entry: entry[:2])
    return Table(
        caption="The studies by the gap of their best trial to their own bias baseline",
        columns=(
            Column("study", "Its name."),
            Column("rows", "Studies with the same letter were judged on the same rows."),
            Column("to bias", "Best RMSE minus the bias baseline's on the same rows.", True),
            Column("best", "Lowest validation RMSE of a COMPLETE trial; one seed.", True),
            Column("trial", "The trial that has it."),
            Column("bias", "Validation RMSE of the user + item bias.", True),
            Column("best baseline", "The lowest validation RMSE of any baseline.", True),
            Column(
                "to default",
                "Best RMSE minus the best default configuration's; 0 where it is one.",
                True,
            ),
            Column("complete", "COMPLETE search trials of all that were started.", True),
            Column("time", "Training and evaluation of all its trials in the search.", True),
            Column("validation rows", "Ratings that it was judged on.", True),
        ),
        rows=tuple(row for *_, row in entries),
        note=_not_comparable(groups),
    )


def _judged(studies: Sequence[StudyRecord]) -> list[Table]:
    """What each came to by itself; none where there is neither a verdict nor an opening."""
    rows = []
    for study in studies:
        said, early = headline_of_verdict(study), n_early_openings(study)
        opened = openings_text(study) + (f", {early} early" if early else "")
        if said or study.openings:
            rows.append(Row((study.name, said.text if said else numbers.NOTHING, opened)))
    if not rows:
        return []
    return [
        Table(
            caption="Verdicts",
            columns=(
                Column("study", "Its name."),
                Column("verdict", "Of its own finalists, on its own rows.", is_wide=True),
                Column("test part", "On record; early: before its last trial was asked for."),
            ),
            rows=tuple(rows),
            note="A verdict judges the finalists of one study, none against another's.",
        )
    ]


def _not_comparable(groups: tuple[tuple[StudyRecord, ...], ...]) -> str:
    if len(groups) == 1:
        return ""
    said = "RMSE of different letters are not comparable: other rows are easier or harder."
    ranges = sorted({*rating_ranges([study for group in groups for study in group]).values()})
    if len(ranges) < 2:
        return said
    spans = ", ".join(f"{low:g} to {high:g}" for low, high in ranges)
    return (
        f"{said} Gaps are in units of each one's own ratings, whose ranges differ: {spans}; the "
        "order is by their share of that range."
    )


def _ranking(
    group: Sequence[StudyRecord],
) -> list[tuple[StudyRecord, TrialRecord, ranking.Standing]]:
    """The models of studies that were judged on the same rows, best first."""
    return sorted(
        ((study, *row) for study in group for row in ranking.models(study)),
        key=lambda row: (row[2].rmse, row[0].name, row[1].number),
    )


def _ranked(title: str, group: Sequence[StudyRecord]) -> Section:
    rows = _ranking(group)
    what = "model" if len(rows) < sum(len(study.ranked) for study in group) else "complete trial"
    names = ", ".join(study.name for study in group)
    bias = next((b for study in group if (b := ranking.bias_rmse(study)) is not None), None)
    if not rows:
        return Section(title, (Text(f"No trial of {names} is complete."),))
    ranked = [trial for _, trial, _ in rows]
    line_after, line = ranking.line_of_noise(_noisiest(group), ranked) or (0, "")
    table_rows = []
    first = rows[0][2].rmse
    for place, (study, trial, standing) in enumerate(rows[:N_ROWS], start=1):
        table_rows.append(
            Row(
                (
                    str(place),
                    study.name,
                    ranking.model_label(study, standing),
                    numbers.rmse(standing.rmse),
                    numbers.gap(None if bias is None else standing.rmse - bias),
                    numbers.gap(standing.rmse - first),
                    str(trial.seed),
                    numbers.summary(trial.values, leave_out=study.compared_dimension, at_most=5),
                ),
                look="best" if place == 1 else "plain",
                rule=line if place == line_after else "",
            )
        )
    table = Table(
        caption=f"The best {len(table_rows)} of {numbers.plural(len(rows), what)}",
        columns=(
            Column("rank", "Place among the models of these studies.", True),
            Column("study", "The study it belongs to."),
            Column("trial", "Number in its study, and its arm where arms are compared."),
            Column("RMSE", f"{labels.what_is_averaged(group[0])}.", True),
            Column("to bias", "RMSE minus the bias baseline's; below 0 is better.", True),
            Column("to first", "RMSE minus the best trial's.", True),
            Column("seed", "Of weights, shuffle and dropout.", True),
            Column("values", "The first things that the search chose.", is_wide=True),
        ),
        rows=tuple(table_rows),
        note=f"Noise cannot tell the first {line_after:,} apart." if line_after > N_ROWS else "",
        is_sortable=True,
    )
    said = (
        f"{names} have the same ratings and split (their fingerprints are equal), so their "
        "trials share one ranking."
    )
    return Section(title, (Text(said), table))


def _noisiest(group: Sequence[StudyRecord]) -> StudyRecord:
    """Whose noise holds for all, of those that measured it on these rows, on their own models."""
    measured = [study for study in group if study.noise is not None]
    return max(measured or group, key=lambda study: noise.usual(study).rmse)


def _changes(studies: Sequence[StudyRecord]) -> Section:
    blocks: list[Block] = []
    unknown = "; of uncommitted changes no record tells whether they are"
    uncommitted = unknown if any(git(study).get("dirty") for study in studies) else ""
    for caption, found, same in (
        ("The sweeps", changes(studies), "The sweeps are the same but for their names."),
        ("Data, code and machine", recorded_changes(studies),
         f"Data, code, versions and machine are the same{uncommitted}."),
    ):  # fmt: skip
        if not found:
            blocks.append(Text(same))
            continue
        blocks.append(
            Table(
                caption=caption,
                columns=(
                    Column("what", "The key of the sweep, or what was recorded."),
                    *(Column(s.name, "Its value in this study.", is_wide=True) for s in studies),
                ),
                rows=tuple(Row((name, *values)) for name, values in found),
                note="Only what differs is listed.",
            )
        )
    return Section("What changed", tuple(blocks))


def _data_text(study: StudyRecord) -> str:
    data = described(study)
    return f"{study.name}: {data.name or 'unknown'}, {numbers.count(data.n_ratings)} ratings"


def _split_text(study: StudyRecord) -> str:
    data = described(study)
    return ", ".join(filter(None, (f"{study.name}: {data.method}", data.split_arguments)))
