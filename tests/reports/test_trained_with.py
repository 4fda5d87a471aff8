from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.records import StudyRecord
from reports.blocks import Facts
from reports.comparing.changes import recorded_changes
from reports.model_card import model_card
from reports.paper.checklist import checklist
from reports.paper.methods import methods_paragraph
from reports.sections.provenance import provenance
from reports.trained_with import package_versions, version

UPGRADES = [
    {"at": 1_772_323_200.0, "versions": {"tensorflow": ["2.21.0", "2.21.1"]}},
    {
        "at": 1_772_409_600.0,
        "versions": {"tensorflow": ["2.21.1", None], "python": ["3.11.7", "3.12.0"]},
    },
]


@pytest.fixture
def upgraded(study: StudyRecord) -> StudyRecord:
    return replace(study, provenance=dict(study.provenance) | {"changes": UPGRADES})


def test_every_version_that_trained_is_told_with_the_day_from_which_on(
    study: StudyRecord, upgraded: StudyRecord
) -> None:
    assert package_versions(study)["tensorflow"] == "2.21.0"
    later = "2.21.0 (2.21.1 from 2026-03-01 on, none from 2026-03-02 on)"
    assert package_versions(upgraded)["tensorflow"] == later
    assert package_versions(upgraded)["optuna"] == "5.0.0"
    assert version(upgraded, "python") == "3.11.7 (3.12.0 from 2026-03-02 on)"
    assert version(upgraded, "recsweep") == "0.1.0"
    bare = replace(study, provenance={})
    assert (package_versions(bare), version(bare, "recsweep")) == ({}, "")


def test_uncommitted_changes_of_a_later_run_are_told_everywhere(study: StudyRecord) -> None:
    change = {"at": 1_772_323_200.0, "versions": {"uncommitted changes": ["no", "yes"]}}
    later = replace(study, provenance=dict(study.provenance) | {"changes": [change]})
    for told, said in ((study, False), (later, True)):
        items = {item.question: item for item in checklist(told)}
        assert (items["All of the code is kept"].answer == "no") is said
        stated = items["The version of the code is stated"].evidence
        assert ("with uncommitted changes" in stated) is said
        (facts,) = (block for block in provenance(told).blocks if isinstance(block, Facts))
        assert ("with uncommitted changes" in dict(facts.items)["commit"]) is said
        assert (", with changes" in model_card(told, told.ranked[0])) is said


def test_report_paper_card_and_comparison_tell_of_an_upgrade(
    study: StudyRecord, upgraded: StudyRecord
) -> None:
    later = package_versions(upgraded)["tensorflow"]
    assert f"with TensorFlow {later}, Optuna 5.0.0" in methods_paragraph(upgraded)
    items = {item.question: item.evidence for item in checklist(upgraded)}
    assert f"tensorflow {later}, " in items["Versions of the libraries are stated"]
    assert f"- tensorflow {later}\n" in model_card(upgraded, upgraded.ranked[0])
    (facts,) = (block for block in provenance(upgraded).blocks if isinstance(block, Facts))
    assert f"tensorflow {later}, " in dict(facts.items)["versions"]
    assert dict(recorded_changes((study, upgraded))) == {
        "Python": ("3.11.7", version(upgraded, "python")),
        "tensorflow": ("2.21.0", later),
    }
