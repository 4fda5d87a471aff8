"""What a paper takes from this study."""

from __future__ import annotations

from experiments.records import StudyRecord
from reports.blocks import Block, Column, Note, Row, Section, Table, Text
from reports.paper.checklist import checklist
from reports.paper.methods import methods_paragraph


def paper(study: StudyRecord) -> Section | None:
    """None where there is no complete trial to write about."""
    if not study.ranked:
        return None
    items = checklist(study)
    n_yes = sum(item.answer == "yes" for item in items)
    blocks: list[Block] = [
        Text(methods_paragraph(study)),
        Note(
            "Written from the record; what is not on record is left out. In the folder paper/: "
            "this paragraph (methods.tex), the leaderboard and what a verdict and an unseal found "
            "as LaTeX tables (table.tex, needs booktabs), all in a document that compiles "
            "(paper.tex), and BibTeX of the software, the methods and, where known, the data "
            "(references.bib). The pictures are in figures/; recsweep report adds PDF and PNG."
        ),
        Table(
            caption=f"Reproducibility checklist: {n_yes} of {len(items)} answered yes",
            columns=(
                Column("item", "What reviewers ask for.", is_wide=True),
                Column("answer", "yes, no, or not recorded in the study folder."),
                Column("evidence", "What is on record.", is_wide=True),
            ),
            rows=tuple(Row((item.question, item.answer, item.evidence)) for item in items),
        ),
    ]
    return Section("For papers", tuple(blocks))
