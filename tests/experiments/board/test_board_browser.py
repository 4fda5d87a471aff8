"""The board as a reader sees it: every tab draws its trials, and new ones come by themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from experiments.board.hparams import write_board
from experiments.records import StudyRecord, TrialState, read_study
from tests.experiments.board.start_board import start_board
from tests.synthetic_study import make_study

pytestmark = pytest.mark.slow

RELOAD_MS = 30_000
"""How often TensorBoard's page asks for new data."""


def halfway(study: StudyRecord) -> StudyRecord:
    """The same study while its first six trials run."""
    running = [
        replace(trial, state=TrialState.RUNNING, epochs=trial.epochs[:2])
        for trial in study.trials[:6]
    ]
    return replace(study, trials=tuple(running))


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).first.click()


def test_every_tab_draws_the_trials_and_those_that_come_later(
    browser: Browser, tmp_path: Path
) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=12))
    write_board(halfway(study))
    server = start_board(study.folder)
    assert server.stdout is not None
    address = next(line for line in server.stdout if line.startswith("TensorBoard: "))
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.clock.install()
    page.set_default_timeout(20_000)
    try:
        page.goto(address.split()[1])
        cells = page.locator("tf-hparams-table-view").get_by_text("RUNNING", exact=True)
        expect(cells.locator("visible=true")).to_have_count(6)
        write_board(study)
        complete = [t for t in study.trials if t.state is TrialState.COMPLETE]
        cells = page.locator("tf-hparams-table-view").get_by_text("COMPLETE", exact=True)
        for _ in range(20):  # the server reads files every few seconds
            page.clock.fast_forward(RELOAD_MS)
            page.wait_for_timeout(500)
            if cells.locator("visible=true").count() == len(complete):
                break
        expect(cells.locator("visible=true")).to_have_count(len(complete))

        open_tab(page, "Parallel Coordinates View")
        lines = page.locator("tf-hparams-parallel-coords-plot g.foreground path")
        expect(lines).to_have_count(len(complete))
        open_tab(page, "Scatter Plot Matrix View")
        expect(page.locator("tf-hparams-scatter-plot-matrix-plot circle").first).to_be_visible()

        trained = [trial for trial in study.trials if trial.epochs]
        open_tab(page, "Scalars")
        page.clock.fast_forward(RELOAD_MS)
        curves = page.locator("tf-scalar-card").first.locator("path.line[d*=L]")
        expect(curves).to_have_count(2 * len(trained))  # as they are and smoothed
        open_tab(page, "Time Series")
        curves = page.locator("scalar-card").first.locator("tb-data-table-content-row")
        expect(curves).to_have_count(len(trained))
    finally:
        page.close()
        server.kill()
        server.communicate()
