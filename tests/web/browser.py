"""Debian's Chromium for the tests of the page, and the page under test."""
import os
import time
import unittest

from playwright.sync_api import sync_playwright

import recordings
from fake_server import FakeServer

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# The server to test; without one, the fake. TUTTI_WEB_KEY is sent where it asks for a key.
URL = os.environ.get("TUTTI_WEB_URL", "")
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-fake-device-for-media-stream",
         "--use-fake-ui-for-media-stream", "--mute-audio"]
PATIENCE_MS = 120_000


class PageTest(unittest.TestCase):
    """A fresh page for each test; it fails for anything that the page writes to the console or asks of another host."""
    key = ""          # of the fake server
    real = False      # may run against TUTTI_WEB_URL
    locale = "en-GB"
    viewport = {"width": 1280, "height": 900}
    colours = "light"
    allowed_errors = ()  # statuses that the test provokes

    @classmethod
    def setUpClass(cls):
        cls.playwright = sync_playwright().start()
        cls.browser = cls.playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()

    def setUp(self):
        self.server = FakeServer(key=self.key).start()
        self.url = URL if self.real and URL else self.server.url
        self.context = self.browser.new_context(locale=self.locale, viewport=self.viewport, color_scheme=self.colours,
                                                permissions=["clipboard-read", "clipboard-write", "microphone"])
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)
        if self.real and os.environ.get("TUTTI_WEB_KEY"):
            self.page.add_init_script(f"sessionStorage.setItem('tutti-key', {os.environ['TUTTI_WEB_KEY']!r})")
        self.page.goto(self.url)

    def tearDown(self):
        self.server.go.set()
        self.context.close()
        self.server.shutdown()
        self.server.server_close()
        self.assertEqual(self.complaints, [])

    def upload(self, *files):
        """Chooses files, each a name with its content; returns the card of the first."""
        kinds = {"wav": "audio/wav", "mp3": "audio/mpeg"}
        self.page.set_input_files("#files", [
            {"name": name, "mimeType": kinds.get(name.rsplit(".", 1)[-1], "application/octet-stream"), "buffer": content}
            for name, content in files])
        return self.card(files[0][0])

    def card(self, name):
        return self.page.locator(".card", has=self.page.locator(f'.name[title="{name}"]'))

    def uploaded(self, name="talk.wav", content=None):
        """The card of a recording that is done."""
        card = self.upload((name, content or recordings.spoken()))
        self.wait_for_state(card, "done")
        return card

    def wait_for_state(self, card, state):
        self.until("([card, state]) => card.dataset.state === state", [card.element_handle(), state])

    def wait_for_position(self, card, at_least):
        """The player has got there."""
        self.until("([wave, least]) => Number(wave.getAttribute('aria-valuenow')) >= least",
                   [card.locator(".wave").element_handle(), at_least])

    def until(self, condition, argument=None):
        """Waits for a JavaScript condition. Playwright's own way evaluates a string inside the page, which the page's
        policy forbids."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self.page.evaluate(condition, argument):
            if time.monotonic() > deadline:
                self.fail(f"in vain: {condition}")
            self.page.wait_for_timeout(30)

    def _console(self, message):
        if message.type not in ("error", "warning"):
            return
        if any(f"status of {status}" in message.text for status in self.allowed_errors):
            return
        self.complaints.append(message.text)

    def _request(self, request):
        if not request.url.startswith((self.url, "blob:" + self.url)):
            self.complaints.append(f"the page asked for {request.url}")
