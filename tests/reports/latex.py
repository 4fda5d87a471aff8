"""LaTeX as an author has it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

PDFLATEX = shutil.which("pdflatex")


def compile_latex(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "paper.tex").write_text(text, "utf-8")
    return subprocess.run(
        [str(PDFLATEX), "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error",
         "-draftmode", "paper.tex"],
        cwd=folder, capture_output=True, text=True, errors="replace", timeout=60, check=False,
    )  # fmt: skip


def cells(table: str) -> list[list[str]]:
    """Of the rows below the heads, without bold and what breaks names."""
    rows = [line for line in table.splitlines() if line.endswith(r"\tabularnewline")][1:]
    plain = [re.sub(r"\\textbf\{(.*?)\}|\\raggedright |\\allowbreak\{\}", r"\1", r) for r in rows]
    return [re.split(r" *(?<!\\)& *", r.removesuffix(r" \tabularnewline").strip()) for r in plain]
