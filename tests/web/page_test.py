"""The page in a real browser: uploads, text, playing, downloads. TUTTI_WEB_URL names the server; without it, the fake."""
import json
import pathlib
import unittest
import urllib.request
import uuid

import recordings
from browser import PageTest


class AnyServerTest(PageTest):
    """What holds with every server."""
    real = True

    def test_a_recording_becomes_text_in_segments(self):
        card = self.uploaded()
        self.assertEqual(card.locator(".segment").count(), 3)
        self.assertRegex(card.locator(".facts").inner_text(), r"^0:\d\d in .* s · \S+")

    def test_a_click_on_a_word_plays_from_there_and_the_word_is_marked(self):
        card = self.uploaded()
        word = card.locator(".segment").nth(1).locator(".word").first
        start = int(word.get_attribute("data-start")) / 1000
        self.assertGreater(start, 0)
        word.click()
        self.wait_for_position(card, start)
        card.locator(".word.playing").wait_for()
        self.assertEqual(card.locator(".play").get_attribute("aria-label"), "Pause talk.wav")

    def test_the_waveform_is_a_slider_for_the_keyboard(self):
        card = self.uploaded()
        wave = card.locator(".wave")
        wave.focus()
        wave.press("ArrowRight")
        self.wait_for_position(card, 5)
        wave.press("Home")
        self.assertEqual(wave.get_attribute("aria-valuenow"), "0.0")

    def test_downloads_hold_what_the_server_writes(self):
        content = recordings.spoken(2)
        card = self.uploaded(content=content)
        for form in ("txt", "srt", "vtt", "json"):
            with self.page.expect_download() as download:
                card.get_by_role("button", name=form.upper()).click()
            self.assertEqual(download.value.suggested_filename, f"talk.{form}")
            written = pathlib.Path(download.value.path()).read_text(encoding="utf-8")
            expected = self.from_server(content, form)
            if form == "json":
                written, expected = ({k: v for k, v in json.loads(text).items() if k != "timings"}
                                     for text in (written, expected))
            self.assertEqual(written, expected)

    def test_a_model_that_times_words_when_asked_to_is_asked(self):
        reading = next((recordings.ROOT / ".cache/samples/reading").glob("*-0870.wav")).read_bytes()
        self.page.get_by_label("Model").select_option("whisper-base")
        card = self.uploaded(content=reading)
        self.assertGreater(card.locator(".word").count(), card.locator(".segment").count(), "each can be clicked")
        for form in ("srt", "vtt"):
            with self.page.expect_download() as download:
                card.get_by_role("button", name=form.upper()).click()
            written = pathlib.Path(download.value.path()).read_text(encoding="utf-8")
            self.assertEqual(written, self.from_server(reading, form, model="whisper-base"))
            self.assertGreater(written.count("-->"), 1)

    def test_several_files_become_several_cards_and_all_are_done(self):
        files = [(f"file{i}.wav", recordings.spoken(1)) for i in range(6)]
        self.upload(*files)
        for name, _ in files:
            self.wait_for_state(self.card(name), "done")

    def test_channels_are_speakers_with_colours_when_asked_for(self):
        self.page.get_by_label("Each channel is a speaker").check()
        card = self.uploaded(content=recordings.spoken(4, channels=2))
        speakers = card.locator(".speaker").all_inner_texts()
        self.assertEqual(set(speakers), {"Speaker 1", "Speaker 2"})
        colours = card.locator(".speaker").evaluate_all("all => new Set(all.map(e => getComputedStyle(e).color)).size")
        self.assertEqual(colours, 2)

    def test_the_microphone_becomes_a_recording(self):
        self.page.get_by_role("button", name="Record").click()
        self.until("document.getElementById('record-time').textContent >= '0:01'")
        self.page.get_by_role("button", name="Stop").click()
        card = self.page.locator(".card")
        card.wait_for()
        self.wait_for_state(card, "done")
        self.assertRegex(card.locator(".name").inner_text(), r"^Recording .*\.webm$")

    def test_what_is_no_audio_is_an_error_with_the_servers_words(self):
        card = self.upload(("broken.wav", b"this is no audio at all"))
        self.wait_for_state(card, "failed")
        self.assertIn("broken.wav", card.get_by_role("alert").inner_text())

    def test_the_state_of_the_service_is_shown(self):
        self.until("!document.getElementById('uptime').textContent.includes('–')")
        self.assertGreater(self.page.locator("#models li").count(), 0)

    def from_server(self, content, form, **fields):
        mark = uuid.uuid4().hex
        parts = [*(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                   for name, value in {"format": form, **fields}.items()),
                 f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="talk.wav"\r\n\r\n'.encode(),
                 content, f"\r\n--{mark}--\r\n".encode()]
        request = urllib.request.Request(f"{self.url}/v1/transcribe", b"".join(parts),
                                         {"Content-Type": f"multipart/form-data; boundary={mark}"})
        key = self.page.evaluate("sessionStorage.getItem('tutti-key')")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        with urllib.request.urlopen(request) as response:
            return response.read().decode()

    # An answer of 400 is what one of these tests is about.
    allowed_errors = (400,)


class StreamingTest(PageTest):
    """What needs a server that does as it is told."""
    allowed_errors = (400, 429)

    def test_text_appears_while_the_rest_is_still_being_recognised(self):
        card = self.upload(("paused call.wav", recordings.spoken()))
        card.locator(".segment").first.wait_for()
        self.assertEqual(card.locator(".segment").count(), 1)
        self.assertEqual(card.get_attribute("data-state"), "working")
        self.server.go.set()
        self.wait_for_state(card, "done")
        self.assertEqual(card.locator(".segment").count(), 6)

    def test_a_busy_server_is_asked_again(self):
        card = self.upload(("busy.wav", recordings.spoken()))
        self.wait_for_state(card, "busy")
        self.wait_for_state(card, "done")

    def test_an_answer_that_breaks_off_is_an_error_and_can_be_tried_again(self):
        card = self.upload(("cut.wav", recordings.spoken()))
        self.wait_for_state(card, "failed")
        self.assertEqual(card.get_by_role("alert").inner_text(), "The answer broke off before it was complete.")
        card.get_by_role("button", name="Try again").click()
        self.wait_for_state(card, "failed")

    def test_at_most_three_recordings_are_sent_at_once(self):
        self.upload(*[(f"paused{i}.wav", recordings.spoken()) for i in range(5)])
        self.until("document.querySelectorAll('.card[data-state=working]').length === 3")
        self.assertEqual(self.page.locator(".card[data-state=queued]").count(), 2)
        self.server.go.set()
        self.until("document.querySelectorAll('.card[data-state=done]').length === 5")
        self.assertEqual(self.server.most_active, 3)

    def test_a_recording_can_be_cancelled_and_removed(self):
        card = self.upload(("paused.wav", recordings.spoken()))
        card.locator(".segment").first.wait_for()
        card.get_by_role("button", name="Cancel paused.wav").click()
        self.wait_for_state(card, "cancelled")
        card.get_by_role("button", name="Remove paused.wav").click()
        self.assertEqual(self.page.locator(".card").count(), 0)

    def test_a_server_that_is_gone_is_said(self):
        self.until("document.getElementById('service-state').textContent === 'working'")
        self.page.route("**/v1/*", lambda route: route.abort())
        card = self.upload(("talk.wav", recordings.spoken()))
        self.wait_for_state(card, "failed")
        self.assertEqual(card.get_by_role("alert").inner_text(), "The connection to the server broke off.")
        self.until("document.getElementById('service-state').textContent === 'not reachable'")
        self.complaints[:] = [c for c in self.complaints if "ERR_FAILED" not in c]

    def test_text_that_looks_like_html_stays_text(self):
        card = self.uploaded("hostile.wav")
        self.assertEqual(card.locator("img").count(), 0)
        self.assertIn("<img src=x", card.locator(".segment").inner_text())
        self.assertEqual(self.page.title(), "tutti")

    def test_a_format_that_the_browser_cannot_play_still_gets_its_text(self):
        card = self.uploaded("speech.g722", (recordings.AUDIO / "speech.g722").read_bytes())
        card.get_by_text("This browser cannot play this format").wait_for()
        self.assertFalse(card.locator(".player").is_visible())
        self.assertEqual(card.locator(".segment").count(), 3)

    def test_a_recording_without_speech_says_so(self):
        self.uploaded("silent.wav").get_by_text("Nobody speaks in this recording.").wait_for()

    def test_the_text_can_be_copied(self):
        card = self.uploaded("plain.wav")
        card.get_by_role("button", name="Copy text").click()
        card.get_by_text("Copied").wait_for()
        self.assertEqual(self.page.evaluate("navigator.clipboard.readText()"), "one two three four")

    def test_files_can_be_dropped_anywhere(self):
        self.page.evaluate("""() => {
          const data = new DataTransfer();
          data.items.add(new File(["x"], "dropped.wav"));
          document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }""")
        self.wait_for_state(self.card("dropped.wav"), "done")

    def test_the_chosen_model_is_asked_for(self):
        self.page.get_by_label("Model").select_option("sense-voice-small")
        card = self.uploaded()
        self.assertIn("sense-voice-small", card.locator(".facts").inner_text())
        self.assertFalse(card.locator(".heard").is_visible())


class LanguageTest(PageTest):
    def test_only_a_model_that_is_told_a_language_offers_them_in_the_pages_words_and_order(self):
        spoken = self.page.get_by_label("Spoken language")
        self.page.get_by_label("Model").select_option("demo-paraformer")
        self.assertFalse(spoken.is_visible() or self.page.get_by_label("Translate into English").is_visible())
        self.page.get_by_label("Model").select_option("whisper-base.en")
        self.assertFalse(spoken.is_visible() or self.page.get_by_label("Translate into English").is_visible())
        self.page.get_by_label("Model").select_option("whisper-base")
        self.assertEqual(spoken.locator("option").all_inner_texts(),
                         ["Find out", "Cantonese", "Chinese", "English", "German", "Hawaiian"])
        spoken.select_option("de")
        self.page.get_by_role("button", name="中文").click()
        spoken = self.page.get_by_label("所说语言")
        self.assertEqual(sorted(spoken.locator("option").all_inner_texts()),
                         sorted(["自动识别", "粤语", "中文", "英语", "德语", "夏威夷语"]))
        self.assertEqual(spoken.input_value(), "de")
        self.assertEqual(spoken.locator("option").first.inner_text(), "自动识别")

    def test_what_was_found_is_shown_and_nothing_is_asked_for(self):
        self.page.get_by_label("Model").select_option("whisper-base")
        heard = self.uploaded("found.wav").locator(".heard")
        self.assertEqual(heard.inner_text(), "German")
        self.assertEqual(self.server.fields["found.wav"].keys() & {"language", "task"}, set())
        self.page.get_by_role("button", name="中文").click()
        self.assertEqual(heard.inner_text(), "德语")

    def test_the_choices_are_asked_for_and_belong_to_the_model_that_has_them(self):
        self.page.get_by_label("Model").select_option("whisper-base")
        self.page.get_by_label("Spoken language").select_option("yue")
        self.page.get_by_label("Translate into English").check()
        self.assertEqual(self.uploaded("chosen.wav").locator(".heard").inner_text(), "from Cantonese")
        asked = self.server.fields["chosen.wav"]
        self.assertEqual((asked["language"], asked["task"]), ("yue", "translate"))
        self.page.get_by_label("Model").select_option("demo-paraformer")
        self.uploaded("other.wav")
        self.assertEqual(self.server.fields["other.wav"].keys() & {"language", "task"}, set())


if __name__ == "__main__":
    unittest.main()
