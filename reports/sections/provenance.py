"""Where the numbers come from and how each is made again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from experiments.records import StudyRecord, TrialRecord
from experiments.records.conditions import Conditions
from reports import labels, numbers
from reports.blocks import Block, Column, Command, Facts, Note, Row, Section, Table
from reports.described import described, search_seed_text, training_time
from reports.exports import column_definitions, reproduce_commands, run_again_command
from reports.paper.methods import argued, defaults_text, fixed_text
from reports.trained_with import commit, git, over_time, package_versions, version

N_ROWS = 200
_SUMS: Mapping[bool | None, str] = {
    True: "in one order: a trial repeats to the bit on the same kind of GPU",
    False: "in any order (TF_DETERMINISTIC_OPS=0): a trial does not repeat to the bit",
}


def provenance(study: StudyRecord) -> Section:
    name = shlex.quote(study.name)
    ranked = study.ranked
    blocks: list[Block] = [
        Facts(_facts(study)),
        Note(
            "The commands of this report find the study in the folder studies/ below the current "
            "one; where it lies elsewhere they take --studies FOLDER, and the path of sweep.toml."
        ),
        Command(
            "Run the same sweep again, into a new folder",
            (run_again_command(study), *_judge(study)),
        ),
    ]
    if ranked:
        blocks += [
            Command("The winner's values, and its model", (
                f"recsweep best {name}", f"recsweep export {name}",
            )),
            Command("Every trial in TensorBoard's HParams", (f"recsweep board {name}",)),
            _reproduction(study, ranked),
        ]  # fmt: skip
    blocks += [
        Table(
            caption="Columns of trials.csv and trials.parquet",
            columns=(
                Column("column", "As in the files; one row a trial, in order of number."),
                Column("holds", "What stands in it.", is_wide=True),
            ),
            rows=tuple(Row(pair) for pair in column_definitions(study).items()),
            is_collapsed=True,
        ),
        Note(
            "Nothing in this report was drawn by chance: the same study folder gives the same "
            "report, to the byte."
            if study.is_finished
            else "This report tells of a study that is not finished; its numbers will change."
        ),
    ]
    return Section("Provenance", tuple(blocks))


def _judge(study: StudyRecord) -> tuple[str, ...]:
    """What judges the new study as this one was; nothing where there is no verdict."""
    if study.verdict is None:
        return ()
    n_seeds = len(study.verdict.seeds)
    return (f"recsweep verdict NEW-STUDY --top {study.verdict.top} --seeds {n_seeds}",)


def _reproduction(study: StudyRecord, ranked: tuple[TrialRecord, ...]) -> Table:
    left_out = len(ranked) - N_ROWS
    return Table(
        caption="The command that trains each row of the leaderboard again",
        columns=(
            Column("trial", "Number in the study, and its arm where arms are compared."),
            Column("RMSE", f"{labels.what_is_averaged(study)}.", is_number=True),
            Column("seed", "The trial's seed; it is in the file that `best` writes.", True),
            Column("command", "Writes the trial's values as a sweep file and trains that."),
        ),
        rows=tuple(
            Row(
                (
                    labels.label(study, trial),
                    numbers.rmse(trial.best_rmse),
                    str(trial.seed),
                    " && ".join(reproduce_commands(study, trial)),
                )
            )
            for trial in ranked[:N_ROWS]
        ),
        note=f"{left_out:,} more are in trials.csv." if left_out > 0 else "",
        is_collapsed=True,
    )


def _facts(study: StudyRecord) -> tuple[tuple[str, str], ...]:
    about = study.provenance
    machine: Mapping[str, Any] = about.get("machine") or {}
    project: Mapping[str, Any] = about.get("project") or {}
    search: Mapping[str, Any] = study.sweep.get("search") or {}
    data = described(study)
    facts = {
        "study": f"{study.name} ({'finished' if study.is_finished else study.state})",
        "note": study.note,
        "tags": ", ".join(study.tags),
        "started": _text(about.get("started_at")),
        "command": _command(about.get("command")),
        "fixed": fixed_text(study),
        "at defaults": defaults_text(study),
        "sampler": argued(study, "sampler"),
        "pruner": argued(study, "pruner"),
        "epochs": f"up to {search['max_epochs']}" if "max_epochs" in search else "",
        "seed": search_seed_text(study),
        "training time": training_time(study),
        "workers": over_time(study, lambda run: _text(run.resources.get("workers"))),
        "processor": over_time(study, lambda run: run.hardware["processor"]),
        "cores": over_time(study, lambda run: run.hardware["cores"]),
        "GPUs": over_time(study, _gpus),
        "trials a GPU": " · ".join(
            f"{chosen['trials_per_gpu']}: {chosen['why']}" for chosen in about.get("packing") or ()
        ),
        "sums on a GPU": _SUMS.get(about.get("gpu_repeats"), ""),
        "memory": f"{machine['memory_gb']:.3g} GB" if machine.get("memory_gb") else "",
        "platform": _text(machine.get("platform")),
        "recsweep": version(study, "recsweep"),
        "commit": _commit(commit(study), git(study)),
        "project": _commit(project.get("commit", ""), project),
        "Python": version(study, "python"),
        "versions": ", ".join(f"{name} {text}" for name, text in package_versions(study).items()),
        "own code": "; ".join(
            f"{name}: {code['source']}:{code['function']}, SHA-256 {code['sha256'][:16]}"
            for name, code in (about.get("code") or {}).items()
        ),
        "dashboard": _board(study),
        "data fingerprint": data.fingerprint or "",
        "split fingerprint": data.split_fingerprint or "",
    }
    return tuple((name, text) for name, text in facts.items() if text)


def _board(study: StudyRecord) -> str:
    """Whether TensorBoard shows what this report tells, by `recsweep board --check`."""
    check = study.board_check
    if check is None:
        return "not compared with the ledger yet"
    if check.differences:
        n = numbers.plural(len(check.differences), "difference")
        return f"{n} to the ledger, which is the record; the first: {check.differences[0]}"
    n_since = len(study.trials) - check.n_trials
    return (
        f"equals the ledger: {numbers.plural(check.n_trials, 'trial')}, "
        f"{numbers.plural(check.n_columns, 'dimension')}"
        + (f"; {numbers.plural(n_since, 'trial')} came since" if n_since > 0 else "")
    )


def _commit(commit: str, git: Mapping[str, Any]) -> str:
    """Of recsweep itself, or of the folder that it was called in."""
    return f"{commit}{' with uncommitted changes' if git.get('dirty') else ''}"


def _text(value: object) -> str:
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, float) and value > 1e8:
        return numbers.moment(value)
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _command(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else _text(value)


def _gpus(run: Conditions) -> str:
    none = "none used" if run.hardware["GPUs"] else "none"
    return (run.gpus or none) if run.machine else ""
