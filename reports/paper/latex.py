"""The leaderboard as a LaTeX table (booktabs), its numbers those of the CSV to four decimals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from experiments.records import StudyRecord
from reports import numbers, ranking
from reports.decision import label
from reports.described import described
from reports.judged_rows import judged_baseline, judged_on

N_TRIALS = 10
_ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": "$-$", "–": "--", "·": r"\textperiodcentered{}", "’": "'", "×": r"$\times$",
}  # fmt: skip


def escape(text: str) -> str:
    """Text for any place in LaTeX: one line, nothing interpreted.

    A letter that pdfLaTeX's own fonts do not have is told by its code point, `U+4E2D`.
    """
    return "".join(_escaped(letter) for letter in " ".join(text.split()))


def leaderboard_table(study: StudyRecord) -> str:
    """The best trials, the default and the baselines; needs booktabs, and T1 fonts."""
    rows = []
    ranked = study.ranked
    default = ranking.default_trial(study)
    for row in ranking.standings(study):
        if row.trial is not None:
            if row.rank and row.rank > N_TRIALS and row.trial is not default:
                continue
            who, values = ranking.label(study, row.trial), numbers.summary(
                row.trial.values, leave_out=study.compared_dimension, at_most=4
            )  # fmt: skip
            epoch, size = numbers.count(row.trial.best_epoch), row.trial.n_parameters
        else:
            assert row.baseline is not None
            who, values, epoch, size = row.baseline.label, "", "", None
        cells = (
            str(row.rank or ""),
            who,
            numbers.rmse(row.rmse),
            numbers.gap(row.to_bias),
            epoch,
            numbers.count(size) if row.trial is not None else "",
            values,
        )
        rows.append(" & ".join(escape(cell) for cell in cells) + r" \\")
    head = (
        "% Needs in the preamble: \\usepackage[T1]{fontenc} \\usepackage{booktabs}\n"
        f"% Study {_comment(study.name)}; the same numbers in full precision are in trials.csv.\n"
    )
    return head + _table(
        _caption(study, len(ranked)), study.name, r"rlrrrrp{0.27\linewidth}",
        "Rank & Trial & RMSE & To bias & Epoch & Parameters & Values", rows,
    )  # fmt: skip


def verdict_table(study: StudyRecord) -> str:
    """The finalists over fresh seeds; empty without a verdict's results."""
    verdict = study.verdict
    results = study.verdict_results
    if verdict is None or results is None:
        return ""
    bias = judged_baseline(study, results, "bias")
    rows = []
    for found in results.finalists:
        interval = numbers.NOTHING
        if found.low is not None and found.high is not None:
            interval = f"{numbers.rmse(found.low)}–{numbers.rmse(found.high)}"
        cells = (
            label(study, found.name),
            numbers.rmse(found.mean),
            interval,
            numbers.gap(found.mean - bias if found.mean is not None and bias is not None else None),
            numbers.rmse(found.search_rmse),
            numbers.NOTHING if found.p_best is None else f"{found.p_best:.2f}",
        )
        rows.append(" & ".join(escape(cell) for cell in cells) + r" \\")
    caption = (
        f"The frozen finalists: mean RMSE over {len(verdict.seeds)} fresh seeds, of a baseline its "
        f"one RMSE, on {judged_on(results)}, with the 95 % interval of the mean over seeds on "
        "these rows; to bias: RMSE minus the bias baseline's; search: the RMSE for which it was "
        "chosen, under one seed; P(best): share of redrawn users and seeds in which its RMSE is "
        "the lowest."
    )
    return _table(
        caption, f"{study.name}-verdict", "lrlrrr",
        "Finalist & RMSE & 95\\% interval & To bias & Search & P(best)", rows,
    )  # fmt: skip


def document(table: str, methods: str) -> str:
    """A whole document around them, to compile and look at."""
    return (
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs}\n"
        "\\usepackage[margin=2cm]{geometry}\n\\begin{document}\n"
        f"{methods}\n\n{table}\\end{{document}}\n"
    )


def _table(caption: str, name: str, columns: str, heads: str, rows: Sequence[str]) -> str:
    body = "\n".join(f"    {row}" for row in rows)
    return (
        "\\begin{table}\n  \\centering\n  \\small\n"
        f"  \\caption{{{escape(caption)}}}\n"
        f"  \\label{{tab:{re.sub(r'[^A-Za-z0-9-]', '-', name)}}}\n"
        f"  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n"
        f"    {heads} \\\\\n    \\midrule\n"
        f"{body}\n    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n"
    )


def _caption(study: StudyRecord, n_ranked: int) -> str:
    data = described(study)
    on = f" on {data.name} ({data.method} split)" if data.name else ""
    best = f"The best {min(N_TRIALS, n_ranked)} of {numbers.plural(n_ranked, 'complete trial')}"
    default = ranking.default_trial(study)
    also = ", the default" if default is not None and default.is_ranked else ""
    who = f"{best}{also} and the baselines" if n_ranked else "The baselines"
    noise = ranking.noise(study).rmse
    return (
        f"{who}{on}. {ranking.what_is_averaged(study)}, one seed each; to bias: RMSE minus the "
        f"bias baseline's. Differences under {numbers.two_digits(noise)} are within the noise."
    )


def _escaped(letter: str) -> str:
    if letter in _ESCAPED:
        return _ESCAPED[letter]
    is_latin = "À" <= letter <= "ÿ" and letter not in "×÷"
    return letter if " " <= letter <= "~" or is_latin else f"U+{ord(letter):04X}"


def _comment(text: str) -> str:
    return " ".join(text.split())
