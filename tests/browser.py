"""A real browser, driven by Playwright: the one that is installed on this machine."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from playwright.async_api import async_playwright, expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

GET_IT = "needs Chromium: `apt-get install chromium`, `brew install --cask chromium`"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next(filter(None, map(shutil.which, _NAMES)), None)

expect.set_options(timeout=30_000)  # a busy machine shows everything in the end


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    is_root = getattr(os, "geteuid", lambda: 1)() == 0
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=PROGRAM,
            chromium_sandbox=not is_root,  # it refuses to start with one, as in a CI
        )
        try:
            yield browser
        finally:
            await browser.close()
