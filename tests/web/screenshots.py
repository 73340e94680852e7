"""Pictures of the page for a reviewer's eyes.

usage: screenshots.py FOLDER
"""
import pathlib
import sys

from playwright.sync_api import sync_playwright

import browser
import canned
import recordings
from fake_server import FakeServer

SHOTS = {  # name: (width, height, colours, locale)
    "desktop-light": (1280, 960, "light", "en-GB"),
    "desktop-dark": (1280, 960, "dark", "en-GB"),
    "desktop-chinese": (1280, 960, "light", "zh-CN"),
    "phone-light": (360, 780, "light", "en-GB"),
    "phone-dark-chinese": (360, 780, "dark", "zh-CN"),
}


def recording(name):
    segments = canned.transcript(name)["segments"]
    return recordings.noise([(s["start_ms"], s["end_ms"]) for s in segments], segments[-1]["end_ms"] / 1000 + 0.5)


def take(chromium, folder, name, width, height, colours, locale):
    server = FakeServer().start()
    context = chromium.new_context(locale=locale, viewport={"width": width, "height": height}, color_scheme=colours,
                                   device_scale_factor=2 if width < 500 else 1)
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_timeout(500)
    page.screenshot(path=folder / f"{name}-empty.png")
    page.locator("#split").check()
    page.set_input_files("#files", {"name": "clinic-call-2026-11-25.wav", "mimeType": "audio/wav", "buffer": recording("call")})
    page.locator(".card[data-state=done]").wait_for()
    page.locator("#split").uncheck()
    for file, content in (("weekly meeting 会议.m4a", recording("meeting")), ("paused interview.wav", recording("x")),
                          ("broken notes.pdf", b"%PDF")):
        page.set_input_files("#files", {"name": file, "mimeType": "audio/wav", "buffer": content})
        page.wait_for_timeout(300)
    page.wait_for_timeout(1500)
    page.locator(".card").last.locator(".word").nth(20).click()
    page.wait_for_timeout(400)
    page.locator(".card").last.locator(".play").click()
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    server.go.set()
    context.close()
    locked = FakeServer(key="k").start()
    context = chromium.new_context(locale=locale, viewport={"width": width, "height": height}, color_scheme=colours)
    page = context.new_page()
    page.goto(locked.url)
    page.locator("dialog").wait_for()
    page.screenshot(path=folder / f"{name}-key.png")
    context.close()


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.CHROMIUM, args=browser.FLAGS)
        for name, shot in SHOTS.items():
            take(chromium, folder, name, *shot)
        chromium.close()


if __name__ == "__main__":
    main()
