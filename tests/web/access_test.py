"""Keys, keyboard, languages, small screens."""
import unittest

import recordings
from browser import PageTest


class KeyTest(PageTest):
    key = "tutti-secret"
    allowed_errors = (401,)

    def give(self, key):
        self.page.locator("#key-input").fill(key)
        self.page.get_by_role("button", name="Use this key").click()

    def test_a_key_is_asked_for_refused_when_wrong_and_kept_for_the_tab(self):
        self.page.get_by_role("dialog").wait_for()
        self.give("wrong")
        self.page.get_by_text("The server does not know this key.").wait_for()
        self.give(self.key)
        self.until("document.getElementById('service-state').textContent === 'working'")
        self.uploaded()
        self.page.reload()
        self.until("document.getElementById('service-state').textContent === 'working'")
        self.assertFalse(self.page.get_by_role("dialog").is_visible())
        self.assertEqual(self.page.evaluate("localStorage.length"), 0)

    def test_a_recording_waits_for_the_key_and_then_goes_on(self):
        self.page.get_by_role("dialog").wait_for()
        self.page.get_by_role("button", name="Cancel").click()
        card = self.upload(("talk.wav", recordings.spoken()))
        self.page.get_by_role("dialog").wait_for()
        self.give(self.key)
        self.wait_for_state(card, "done")
        self.until("document.getElementById('service-state').textContent === 'working'")

    def test_without_a_key_a_recording_fails_with_the_reason(self):
        self.page.get_by_role("dialog").wait_for()
        self.page.keyboard.press("Escape")
        card = self.upload(("talk.wav", recordings.spoken()))
        self.page.get_by_role("dialog").wait_for()
        self.page.keyboard.press("Escape")
        self.wait_for_state(card, "failed")
        self.assertEqual(card.get_by_role("alert").inner_text(), "The server asks for an API key.")


class KeyboardTest(PageTest):
    real = True

    def tab_to(self, description):
        """Presses Tab until what has the focus is called so."""
        for _ in range(40):
            self.page.keyboard.press("Tab")
            called = self.page.evaluate("""() => {
              const e = document.activeElement;
              return e.getAttribute("aria-label") ?? e.textContent.trim();
            }""")
            if called.startswith(description):
                return
        self.fail(f"the Tab key does not lead to '{description}'")

    def test_everything_can_be_done_with_the_keyboard(self):
        self.tab_to("Choose files")
        with self.page.expect_file_chooser() as chooser:
            self.page.keyboard.press("Enter")
        chooser.value.set_files([{"name": "talk.wav", "mimeType": "audio/wav", "buffer": recordings.spoken()}])
        card = self.card("talk.wav")
        self.wait_for_state(card, "done")
        first = card.locator(".word").first
        self.tab_to("Position in")
        self.tab_to("Playback speed")
        self.page.keyboard.press("Tab")
        self.assertTrue(first.evaluate("word => word === document.activeElement"))
        self.page.keyboard.press("ArrowDown")
        start = int(self.page.evaluate("document.activeElement.dataset.start")) / 1000
        self.assertGreater(start, 0)
        self.page.keyboard.press("Enter")
        self.wait_for_position(card, start)
        self.page.keyboard.press(" ")
        self.until("play => play.getAttribute('aria-label').startsWith('Play')", card.locator(".play").element_handle())
        self.tab_to("Download talk.wav as SRT")
        with self.page.expect_download():
            self.page.keyboard.press("Enter")
        card.locator(".remove").focus()
        self.page.keyboard.press("Enter")
        self.assertEqual(self.page.locator(".card").count(), 0)
        self.assertEqual(self.page.evaluate("document.activeElement.id"), "choose")

    def test_the_text_is_one_stop_of_the_tab_key(self):
        card = self.uploaded()
        self.assertGreater(card.locator(".word").count(), 1)
        self.assertEqual(card.locator('.word[tabindex="0"]').count(), 1)

    def test_whoever_does_not_see_the_page_is_told_when_a_recording_is_done(self):
        self.uploaded()
        self.assertEqual(self.page.locator("#announce").inner_text(), "talk.wav: transcribed")

    def test_everything_that_can_be_used_has_a_name(self):
        self.uploaded()
        nameless = self.page.locator("button, select, input:not([type=file]), [role=button], [role=slider], progress"
                                     ).evaluate_all("""all => all.filter((e) => e.checkVisibility() &&
            !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))
            .map((e) => e.outerHTML)""")
        self.assertEqual(nameless, [])


class ChineseTest(PageTest):
    locale = "zh-CN"
    real = True

    def test_a_chinese_browser_gets_chinese_and_can_switch(self):
        self.page.get_by_role("button", name="选择文件").wait_for()
        card = self.uploaded()
        self.assertEqual(card.locator(".state").inner_text(), "完成")
        self.page.get_by_role("button", name="English").click()
        self.assertEqual(card.locator(".state").inner_text(), "done")
        self.assertEqual(card.locator(".play").get_attribute("aria-label"), "Play talk.wav")
        self.assertEqual(self.page.evaluate("document.documentElement.lang"), "en")
        self.page.reload()
        self.page.get_by_role("button", name="Choose files").wait_for()

    def test_both_languages_have_the_same_texts_with_the_same_gaps(self):
        texts = self.page.evaluate("import(new URL('assets/i18n.js', document.baseURI)).then(({texts}) => texts)")
        gaps = lambda text: sorted(part.split("}")[0] for part in text.split("{")[1:])
        self.assertEqual({k: gaps(v) for k, v in texts["en"].items()}, {k: gaps(v) for k, v in texts["zh"].items()})


class PhoneTest(PageTest):
    viewport = {"width": 360, "height": 740}
    allowed_errors = (400,)

    def test_nothing_is_wider_than_a_phone(self):
        self.page.get_by_label("Each channel is a speaker").check()
        self.uploaded("call with the clinic about an appointment, 2026-11-25, morning.wav")
        broken = "broken" + "-and-very-long-without-any-space" * 4 + ".wav"
        self.wait_for_state(self.upload((broken, b"nothing")), "failed")
        for language in ("English", "中文"):
            self.page.get_by_role("button", name=language).click()
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(wide, 360)

    def test_what_is_touched_is_large_enough(self):
        card = self.uploaded()
        small = card.locator("button").evaluate_all("""all => all.filter((e) => e.checkVisibility())
            .map((e) => [e.outerHTML, e.getBoundingClientRect()]).filter(([, box]) => box.height < 32 || box.width < 32)
            .map(([html]) => html)""")
        self.assertEqual(small, [])


if __name__ == "__main__":
    unittest.main()
