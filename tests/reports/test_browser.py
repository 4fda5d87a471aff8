"""Reports in a browser: quiet, offline, usable by everyone, and alive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from experiments.records import StudyRecord
from reports.comparing.comparison import write_comparison
from reports.render import ReportPaths, write_report
from tests.reports.conftest import without_complete

pytestmark = pytest.mark.slow

SCREENS = {"desk": (1440, 1000), "phone": (390, 844)}


@pytest.fixture(scope="module")
def reports(
    study: StudyRecord,
    judged_study: StudyRecord,
    judged_paths: ReportPaths,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    return {
        "judged": judged_paths.html,
        "nothing-complete": write_report(without_complete(study), folder / "none").html,
        "compared": write_comparison([study, judged_study], folder / "compared").html,
    }


@pytest.mark.parametrize(
    ("name", "screen", "scheme"),
    [
        *(("judged", screen, scheme) for screen in SCREENS for scheme in ("light", "dark")),
        ("nothing-complete", "desk", "dark"),
        ("nothing-complete", "phone", "light"),
        ("compared", "desk", "light"),
        ("compared", "phone", "dark"),
    ],
)
def test_a_report_is_accessible_quiet_and_offline(
    browser: Browser, reports: dict[str, Path], name: str, screen: str, scheme: str
) -> None:
    report = reports[name]
    width, height = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]  # one of the two above
    )
    console: list[str] = []
    requests: list[str] = []
    context.on("console", lambda message: console.append(message.text))
    context.on("weberror", lambda error: console.append(str(error.error)))
    context.on("request", lambda request: requests.append(request.url))
    page = context.new_page()
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    found = Axe().run(page).response
    assert len(found["passes"]) > 20  # it did look
    assert [(rule["impact"], rule["help"], rule["nodes"]) for rule in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert console == []
    assert requests == [report.as_uri()]
    context.close()


def test_the_checker_finds_what_it_looks_for(browser: Browser, paths: ReportPaths) -> None:
    page = browser.new_page()
    page.goto(paths.html.as_uri())
    page.evaluate("document.body.append(document.createElement('button'))")
    impacts = {rule["impact"] for rule in Axe().run(page).response["violations"]}
    assert impacts & {"serious", "critical"}
    page.close()


def test_the_leaderboard_sorts_and_filters(
    browser: Browser, study: StudyRecord, paths: ReportPaths
) -> None:
    page = browser.new_page()
    page.goto(paths.html.as_uri())
    table = page.locator("table.sortable").first

    def column(name: str) -> list[str]:
        at = table.locator("th").all_inner_texts().index(name) + 1
        return table.locator(f"tbody tr:not(.rule) td:nth-child({at})").all_inner_texts()

    def click(name: str) -> None:
        table.get_by_role("button", name=name, exact=True).click()

    def parameters() -> list[int]:
        return [int(text.replace(",", "")) for text in column("parameters") if text]

    written = column("trial")
    click("parameters")
    up = parameters()
    assert up == sorted(up) and len(up) == len(study.ranked)
    assert column("parameters")[-1] == ""  # baselines have none: last, either way
    click("parameters")
    assert parameters() == up[::-1]
    assert column("parameters")[-1] == ""
    click("parameters")
    assert column("trial") == written
    click("trial")
    numbers = [int(found) for text in column("trial") for found in re.findall(r"^#(\d+)", text)]
    assert numbers == sorted(trial.number for trial in study.ranked)
    click("trial")
    click("trial")
    page.get_by_label("Filter rows").first.fill("dcn rmse<1.04")
    expected = [t.number for t in study.ranked if t.arm == "dcn" and (t.best_rmse or 9) < 1.03995]
    assert [int(re.findall(r"#(\d+)", text)[0]) for text in column("trial")] == expected
    page.close()


def test_in_print_no_table_is_cut_at_the_right(browser: Browser, reports: dict[str, Path]) -> None:
    landscape_px = round((297 - 2 * 14) / 25.4 * 96)  # A4 within the margins of the page's style
    page = browser.new_page(viewport={"width": landscape_px, "height": 700})
    page.emulate_media(media="print")
    page.goto(reports["judged"].as_uri())
    widths = page.evaluate("[...document.querySelectorAll('table')].map((t) => t.offsetWidth)")
    assert len(widths) > 5
    assert max(widths) <= landscape_px
    page.close()


def test_a_report_of_ten_thousand_trials_scrolls(
    browser: Browser, ten_thousand: tuple[ReportPaths, float]
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(ten_thousand[0].html.as_uri())
    longest_ms = page.evaluate(
        """async () => {
            let [last, longest] = [performance.now(), 0];
            for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
                window.scrollTo(0, y);
                const now = await new Promise(requestAnimationFrame);
                [longest, last] = [Math.max(longest, now - last), now];
            }
            return longest;
        }"""
    )
    assert page.evaluate("window.scrollY") > 5_000
    assert longest_ms < 1_000  # 50 on a machine with nothing else to do
    page.close()
