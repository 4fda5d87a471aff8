"""What was found as LaTeX tables (booktabs), the numbers those of the CSV to four decimals."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from experiments.records import (
    Answer,
    FinalistResult,
    StudyRecord,
    TrialRecord,
    VerdictResults,
)
from reports import labels, noise, numbers, ranking
from reports.blocks import Table
from reports.described import described
from reports.judging.beaten_on_test import beaten_on_test
from reports.judging.decision import (
    caveats_on_test,
    label,
    lost_finalists,
    lower_baseline_text,
    not_scored,
)
from reports.judging.judged_rows import (
    judged_on,
    late_in_short,
    optimism_in_short,
    refitted_on,
)

N_TRIALS, N_VALUES = 10, 4

PREAMBLE = (
    "% Needs in the preamble: \\usepackage[T1]{fontenc} \\usepackage{booktabs}\n"
    "% T1 fonts may come as bitmaps, which publishers refuse; \\usepackage{lmodern} has none.\n"
    "% In two columns it spans both; for one of them write table in place of table*.\n"
)
"""A comment for the head of a file of tables."""
_ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": "$-$", "±": r"$\pm$", "–": "--", "·": r"\textperiodcentered{}", "’": "'", "×": r"$\times$",
    "≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$", "→": r"$\rightarrow$",
}  # fmt: skip

_NOT_IN_T1 = "×÷ĦħĸĿŀŉŦŧ"
_SIGNS = "€£§°µ²³½¼¾№“”„«»…•"
"""Neither letters nor ASCII, and printed by LaTeX under T1 fonts all the same."""


def escape(text: str) -> str:
    """Text for any place in LaTeX: one line, nothing interpreted.

    A letter that T1 fonts do not have, as Chinese ones, is told by its code point, `U+4E2D`; by
    itself where XeLaTeX or LuaLaTeX runs, with a font of the author's that has it.
    """
    return "".join(_escaped(letter) for letter in " ".join(text.split()))


def breakable(text: str) -> str:
    """`escape`, and a long name may be broken behind each underscore."""
    return escape(text).replace(r"\_", r"\_\allowbreak{}")


def leaderboard_table(study: StudyRecord) -> str:
    """The best trials, the default and the baselines; needs booktabs, and T1 fonts."""
    rows = []
    default = ranking.default_trial(study)
    is_cut = False
    best = [row for _, row in ranking.models(study)[:N_TRIALS]]
    for row in ranking.standings(study):
        if row.trial is not None:
            if row not in best and row.trial is not default:
                continue
            who, values = ranking.model_label(study, row), _values(study, row.trial, N_VALUES)
            is_cut |= values != _values(study, row.trial, None)
            epoch, size = numbers.count(row.trial.best_epoch), row.trial.n_parameters
        else:
            assert row.baseline is not None
            who, values, epoch, size = row.baseline.label, "", "", None
        rows.append((
            str(row.rank or ""),
            _wrapped(who),
            _bold(escape(numbers.rmse(row.rmse)), row.trial is not None and row.is_within_noise),
            escape(numbers.gap(row.to_bias)),
            escape(epoch),
            numbers.count(size) if row.trial is not None else "",
            _wrapped(values),
        ))  # fmt: skip
    head = (
        f"{PREAMBLE}"
        f"% Study {_comment(study.name)}; in full precision: trials.csv, verdict.csv, test.csv.\n"
    )
    return head + _table(
        _caption(study, len(best), is_cut), study.name,
        r"rp{0.18\linewidth}rrrrp{0.22\linewidth}",
        "Rank & Trial & RMSE & To bias & Epoch & Parameters & Values", rows,
    )  # fmt: skip


def verdict_table(study: StudyRecord) -> str:
    """The finalists over fresh seeds; empty without a verdict's results."""
    verdict, results = study.verdict, study.verdict_results
    if verdict is None or results is None:
        return ""
    remarks = filter(
        None,
        (
            *lost_finalists(study, results),
            lower_baseline_text(study, results),
            optimism_in_short(study, results),
            late_in_short(study),
        ),
    )
    baselines = {b.name: ranking.judged_baseline(study, results, b.name) for b in study.baselines}
    first = results.finalists[0].name
    rows, bold = _ordered(study, results, first, baselines)
    caption = (
        f"The frozen finalists and the baselines: mean RMSE over {len(verdict.seeds)} fresh seeds, "
        f"of a baseline its one RMSE, on {judged_on(results)}, {_OF_SEEDS}; to first: minus that "
        f"of {label(study, first)}, {_OF_PAIRS}; {_P_BEST} " + " ".join([bold, *remarks])
    )
    return _table(
        caption, f"{study.name}-verdict", r"p{0.18\linewidth}rrrrr",
        "Model & RMSE & To bias & To first & $p$ & P(best)", rows,
    )  # fmt: skip


def unsealed_table(study: StudyRecord) -> str:
    """The finalists and the baselines on the test split; empty where this study did not open it."""
    verdict, judged, test = study.verdict, study.verdict_results, study.test
    if verdict is None or judged is None or test is None:
        return ""
    results = test.results
    leader = study.leader.name if study.leader else judged.finalists[0].name
    rows, bold = _ordered(study, results, leader, test.baselines)
    remarks = (
        *caveats_on_test(study, test),
        not_scored(study, test),
        beaten_on_test(study, test),
    )
    said = "".join(f" {remark}" for remark in remarks if remark)
    refit = ""
    if test.refit is not None:
        refit = (
            f" Trained again on {refitted_on(study)} together, {label(study, test.refit.name)} has "
            f"{numbers.rmse(test.refit.mean)}, mean of {len(test.refit.rmse_by_seed)} seeds."
        )
    caption = (
        f"The frozen finalists and the baselines, trained on train, on the test split: mean RMSE "
        f"over {len(verdict.seeds)} seeds, of a baseline its one RMSE, on {results.n_rows:,} rows "
        f"of {results.n_users:,} users that chose nothing, {_OF_SEEDS}; to leader: minus that of "
        f"{label(study, leader)}, of the trials the first on validation, {_OF_PAIRS}; {_P_BEST} "
        f"{bold}{said}{refit}"
    )
    return _table(
        caption, f"{study.name}-test", r"p{0.18\linewidth}rrrrr",
        "Model & Test RMSE & To bias & To leader & $p$ & P(best)", rows,
    )  # fmt: skip


def _ordered(
    study: StudyRecord, results: VerdictResults, other: str, baselines: Mapping[str, float | None]
) -> tuple[list[tuple[str, ...]], str]:
    """The cells of finalists and baselines, best first, and what bold is.

    Args:
        other: whom each is held against.
        baselines: RMSE on the rows of the results.
    """
    bias = baselines.get("bias", results.baselines.get("bias"))
    rows = [
        (f.mean, (*_judged(study, results, f, other, bias), _p_best(f))) for f in results.finalists
    ]
    rows += [
        (rmse, (_wrapped(label(study, name)), escape(numbers.rmse(rmse)), _gap(rmse, bias), "", "",
                ""))
        for name, rmse in baselines.items()
        if rmse is not None and results.finalist(name) is None
    ]  # fmt: skip
    rows.sort(key=lambda row: (row[0] is None, row[0] or 0.0))
    is_finalist_first = rows[0][0] == results.finalists[0].mean
    return [cells for _, cells in rows], _BOLD if is_finalist_first else _BOLD_BELOW_A_BASELINE


def table_of_page(table: Table, name: str, *, leave_out: Collection[str] = ()) -> str:
    """A table as the page has it, with what its columns hold in the caption.

    Args:
        leave_out: titles of columns.
    """
    kept = [i for i, column in enumerate(table.columns) if column.title not in leave_out]
    rows = [replace(row, cells=tuple(row.cells[i] for i in kept)) for row in table.rows]
    table = replace(table, columns=tuple(table.columns[i] for i in kept), rows=tuple(rows))
    told = "; ".join(f"{titles}: {_inside(held)}" for titles, held in table.definitions)
    line = next((f" Line: {row.rule}." for row in rows if row.rule), "")
    kinds = [
        "r" if column.is_number
        else _WIDE if column.is_wide
        else "l" if max((len(row.cells[i]) for row in rows), default=0) <= _SHORT
        else _BROKEN
        for i, column in enumerate(table.columns)
    ]  # fmt: skip
    heads = [column.title.rpartition(" ") for column in table.columns]
    cells = [
        [_wrapped(cell) if kind in (_WIDE, _BROKEN) else escape(cell)
         for cell, kind in zip(row.cells, kinds, strict=True)]
        for row in rows
    ]  # fmt: skip
    after = next((i for i, row in enumerate(rows, start=1) if row.rule), None)
    return _table(
        f"{table.caption}. {told}.{line} {table.note}".strip(), name, "".join(kinds),
        " & ".join(escape(first) for first, _, _ in heads) + " \\tabularnewline\n    "
        + " & ".join(escape(last) for _, _, last in heads),
        cells, line_after=after,
    )  # fmt: skip


def _inside(sentence: str) -> str:
    """A sentence within another one."""
    is_word = not sentence[:2].isupper()
    return (sentence[:1].lower() + sentence[1:] if is_word else sentence).removesuffix(".")


_WIDE, _BROKEN = r"p{0.3\linewidth}", r"p{0.16\linewidth}"
_SHORT = 14
"""Letters of a cell that need no column that breaks them."""

_OF_SEEDS = "± half the 95 % interval over seeds on these rows; to bias: minus the bias baseline's"
_OF_PAIRS = (
    "± half the 95 % interval for other seeds and other users, with p after Holm's correction for "
    "all pairs"
)
_P_BEST = (
    "P(best): share of redrawn users and seeds in which its RMSE is the lowest of the finalists'."
)
_BOLD = "Bold: the first, and the finalists that it does not beat."
_BOLD_BELOW_A_BASELINE = "Bold: of the finalists, the first and those that it does not beat."


def _judged(
    study: StudyRecord,
    results: VerdictResults,
    found: FinalistResult,
    other: str,
    bias: float | None,
) -> tuple[str, ...]:
    """Who, RMSE, to bias, to the other, p."""
    best = results.finalists[0].name
    pair = results.pair(found.name, best)
    is_bold = found.name == best or (pair is not None and pair.answer != Answer.WORSE)
    rmse = escape(numbers.rmse(found.mean))
    if found.low is not None and found.high is not None:
        rmse += rf" $\pm$ {numbers.rmse((found.high - found.low) / 2)}"
    to_other, p = escape(numbers.NOTHING), escape(numbers.NOTHING)
    if (pair := results.pair(found.name, other)) is not None:
        half = numbers.rmse((pair.high - pair.low) / 2)
        to_other = rf"{escape(numbers.gap(pair.estimate))} $\pm$ {half}"
        p = escape(numbers.p_value(pair.holm_p))
    who = _wrapped(label(study, found.name))
    return who, _bold(rmse, is_bold and found.mean is not None), _gap(found.mean, bias), to_other, p


def _p_best(found: FinalistResult) -> str:
    return escape(numbers.NOTHING if found.p_best is None else f"{found.p_best:.2f}")


def _gap(value: float | None, bias: float | None) -> str:
    return escape(numbers.gap(None if value is None or bias is None else value - bias))


def _values(study: StudyRecord, trial: TrialRecord, at_most: int | None) -> str:
    return numbers.summary(trial.values, leave_out=study.compared_dimension, at_most=at_most)


def _bold(cell: str, is_bold: bool) -> str:
    return rf"\textbf{{{cell}}}" if is_bold else cell


def _wrapped(text: str) -> str:
    """A cell of words."""
    if not text:
        return ""
    return r"\raggedright " + breakable(text)


def document(tables: str, methods: str) -> str:
    """A whole document around them, to compile and look at."""
    return (
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n"
        "% Without it T1 may come as bitmaps (Type 3), which publishers refuse.\n"
        "\\IfFileExists{lmodern.sty}{\\usepackage{lmodern}}{}\n"
        "\\usepackage{booktabs}\n\\usepackage{graphicx}\n"
        "\\usepackage[margin=2cm]{geometry}\n\\begin{document}\n"
        f"{methods}\n\\nocite{{*}}\n{_FIGURE}\n{tables}"
        "\\bibliographystyle{plain}\n\\bibliography{references}\n\\end{document}\n"
    )


_FIGURE = r"""
\IfFileExists{../figures/best.pdf}{\begin{figure}
  \includegraphics[width=\linewidth]{../figures/best.pdf}
  \caption{Its words stand in \texttt{figures/captions.txt}; for one column of two there is
  \texttt{best-column.pdf}.}
\end{figure}}{}
"""


def _table(
    caption: str,
    name: str,
    columns: str,
    heads: str,
    rows: Sequence[Sequence[str]],
    line_after: int | None = None,
) -> str:
    lines = [f"    {' & '.join(cells)} \\tabularnewline" for cells in rows]
    if line_after is not None and line_after < len(lines):
        lines.insert(line_after, "    \\midrule")
    body = "\n".join(lines)
    return (
        "\\begin{table*}\n  \\centering\n  \\footnotesize\n  \\setlength{\\tabcolsep}{3pt}\n"
        f"  \\caption{{{breakable(caption)}}}\n"
        f"  \\label{{tab:{re.sub(r'[^A-Za-z0-9-]', '-', name)}}}\n"
        f"  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n"
        f"    {heads} \\tabularnewline\n    \\midrule\n"
        f"{body}\n    \\bottomrule\n  \\end{{tabular}}\n\\end{{table*}}\n"
    )


def _caption(study: StudyRecord, n_best: int, is_cut: bool) -> str:
    data = described(study)
    on = f" on {data.name} ({data.method} split)" if data.name else ""
    n_ranked = len(study.ranked)
    has_repeats = len(ranking.models(study)) < n_ranked
    shown = numbers.plural(n_best, "model") if has_repeats else str(n_best)
    best = f"The best {shown} of {numbers.plural(n_ranked, 'complete trial')}"
    default = ranking.default_trial(study)
    also = ", the default" if default is not None and default.is_ranked else ""
    who = f"{best}{also} and the baselines" if n_ranked else "The baselines"
    cut = f"; values: the first {N_VALUES} that vary" if is_cut else ""
    usual = numbers.two_digits(noise.usual(study).rmse)
    return (
        f"{who}{on}. {labels.what_is_averaged(study)}, one seed each; to bias: RMSE minus the "
        f"bias baseline's{cut}. Bold: trials that noise cannot tell from the first (under {usual} "
        "apart)."
    )


def _escaped(letter: str) -> str:
    if letter in _ESCAPED:
        return _ESCAPED[letter]
    is_latin = "À" <= letter < "ſ" and letter not in _NOT_IN_T1
    if " " <= letter <= "~" or is_latin or letter in _SIGNS:
        return letter
    code = f"U+{ord(letter):04X} "
    return rf"\ifdefined\Umathcode {letter}\else {code}\fi{{}}" if letter.isalpha() else code


def _comment(text: str) -> str:
    return " ".join(text.split())
