"""On which rows a verdict judges, and how far its finalists look too good on them."""

from __future__ import annotations

from experiments.records import StudyRecord, VerdictResults
from reports import numbers
from reports.described import described

LEAST_SHARE = 1 / 60
"""Of the margin: less, 0.0000 on MovieLens, is not told as a number."""


def judged_on(results: VerdictResults) -> str:
    """`4,038 rows of 57 users whom the search never saw`."""
    rows = f"{results.n_rows:,} rows of {results.n_users:,} users"
    if results.is_confirmed:
        return f"{rows} whom the search never saw"
    return f"the {rows} that the search chose on"


def too_good_by(results: VerdictResults, rmse: float) -> str:
    """`0.0021`; empty where that is nothing beside what matters in practice."""
    return numbers.two_digits(rmse) if rmse >= LEAST_SHARE * results.margin else ""


def optimism_text(results: VerdictResults) -> str:
    """What the choice of the finalists does to their RMSE on the rows that judge them."""
    if results.is_confirmed:
        return (
            f"Judged on {judged_on(results)}: neither the choice of the finalists nor the epoch at "
            "which a training stopped knew these ratings, so being chosen does not flatter them. "
            + _leading(results)
            + "The search's own numbers are of other users, and stand beside, not against them."
        )
    chosen = (
        f"Chosen and judged on the same {results.n_users:,} users, finalists look better than they "
        "are, the first of the search most. "
    )
    cure = " A sweep with [split] confirm = 0.25 keeps users for the verdict alone."
    if results.optimism is None:
        return chosen + "By how much is not known for this study." + cure
    how = (
        f"Choosing the best of {results.n_choosable:,} complete trials on some of these users and "
        "judging it on the others comes out "
    )
    if not (by := too_good_by(results, results.optimism)):
        return chosen + how + "no higher: little of it shows here." + cure
    return chosen + how + f"{by} higher: at most about as much too good." + cure


def _leading(results: VerdictResults) -> str:
    """What choosing the leader on kept users does to its mean on them."""
    if results.n_choosable == 1:
        return ""
    seen = "Which of them leads is seen here alone"
    if results.optimism is None:
        return f"{seen}, and the lowest of several means is rather too low. "
    how = (
        f"{seen}: choosing it among {results.n_choosable:,} under some of these users and seeds "
        "and judging it under the others comes out "
    )
    if not (by := too_good_by(results, results.optimism)):
        return f"{how}no higher. "
    return f"{how}{by} higher: at most about as much too good. "


def optimism_in_short(study: StudyRecord, results: VerdictResults) -> str:
    """One sentence for a first screen; empty where there is nothing to warn of."""
    by = too_good_by(results, results.optimism or 0.0)
    if not by:
        return ""
    if results.is_confirmed:
        leads = f"#{study.leader.number}" if study.leader else "the leader"
        return f"Seen to lead on these users alone, {leads} looks up to {by} too good."
    frozen = study.verdict
    first = next((t.number for t in study.ranked if frozen and frozen.knew(t)), None)
    who = "the first " if first is None else f"#{first}, first of the search, "
    return f"Judged on the users who chose it, {who}looks up to {by} too good."


def late_in_short(study: StudyRecord) -> str:
    """One sentence for a paper; empty where every trial could be judged."""
    n = len(study.late_trials)
    if not n:
        return ""
    were = "was" if n == 1 else "were"
    return (
        f"{numbers.plural(n, 'trial')} of the search had not ended when the list was frozen and "
        f"{were} not judged."
    )


def baselines_text(study: StudyRecord, results: VerdictResults) -> str:
    """All baselines on the rows that judge, where these are not the search's; else empty."""
    listed = ", ".join(
        f"{b.label} {numbers.rmse(results.baselines[b.name])}"
        for b in study.baselines
        if b.name in results.baselines
    )
    return f"Baselines on these rows: {listed}." if listed else ""


def refitted_on(study: StudyRecord) -> str:
    """The rows that a refit is trained on."""
    kept = described(study).confirm is not None
    return "train, validation and the kept rows" if kept else "train and validation"


def kept_users_text(study: StudyRecord) -> str | None:
    """`57 users (4,038 rows) are kept for the verdict`; None where none are."""
    confirm = described(study).confirm
    if confirm is None or confirm.n_rows is None or confirm.n_users is None:
        return None
    return (
        f"{confirm.n_users:,} of the validation users ({confirm.n_rows:,} rows) are kept for the "
        "verdict: the search never sees them"
    )
