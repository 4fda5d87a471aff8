"""TensorBoard's page as it comes, but that it asks for new data by itself."""

from __future__ import annotations

import io
import zipfile
from typing import BinaryIO

from tensorboard import assets

_MAIN_SCRIPT = b'<script src="index.js'
_SCRIPT = b"""const key = "_tb_global_settings";
const settings = JSON.parse(localStorage.getItem(key) ?? "{}");
localStorage.setItem(key, JSON.stringify({ autoReload: true, ...settings }));
"""
"""Before the page's own script reads its settings: what the reader has chosen stays."""


def live_page() -> BinaryIO:
    """TensorBoard's page as a zip file, with "Reload data" (every 30 s) ticked from the start."""
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(assets.get_default_assets_zip_provider()()) as page,
        zipfile.ZipFile(changed, "w") as copy,
    ):
        for name in page.namelist():
            content = page.read(name)
            if name == "index.html":
                content = content.replace(
                    _MAIN_SCRIPT, b'<script src="live.js"></script>' + _MAIN_SCRIPT
                )
            copy.writestr(name, content)
        copy.writestr("live.js", _SCRIPT)
    changed.seek(0)
    return changed
