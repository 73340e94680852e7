"""PyPI's funasr-client against a running server, by its asynchronous half: in 0.1.6 close() of the other takes a lock
twice and never returns, whatever the server does.

usage: TUTTI_WEB_URL=http://127.0.0.1:8000 TUTTI_RECORDING=a.g722 TUTTI_WAV=a.wav funasr_client_test.py
"""
import asyncio
import os
import unittest
import wave

from funasr_client import async_funasr_client
from funasr_client.file_asr import async_file_asr, async_file_asr_stream

URI = os.environ["TUTTI_WEB_URL"].replace("http", "ws", 1)
WAV = os.environ["TUTTI_WAV"]
TEXT = "agent logged in"


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


async def answers(recording, mode):
    return [answer async for answer in async_file_asr_stream(recording, URI, mode=mode)]


class FunAsrClient(unittest.TestCase):
    def test_offline_is_answered_once(self):
        for recording in (WAV, os.environ["TUTTI_RECORDING"]):
            with self.subTest(recording):
                [answer] = run(answers(recording, "offline"))
                self.assertEqual((answer["mode"], answer["text"]), ("offline", TEXT))
                self.assertEqual(answer["wav_name"], os.path.basename(recording))

    def test_online_pieces_are_the_text(self):
        pieces = run(answers(WAV, "online"))
        self.assertEqual("".join(piece["text"] for piece in pieces), TEXT)
        self.assertTrue(pieces[-1]["is_final"])

    def test_two_passes_are_the_default_and_end_in_the_text(self):
        for mode in ("2pass", None):
            with self.subTest(mode):
                self.assertEqual(run(async_file_asr(WAV, URI, mode=mode))["text"], TEXT)

    def test_who_closes_gets_the_end_first(self):
        async def recognise():
            messages = []
            async with async_funasr_client(uri=URI, mode="2pass", callback=messages.append) as client:
                with wave.open(WAV) as wav:
                    await client.send(wav.readframes(wav.getnframes()))
            return messages

        messages = run(recognise())
        self.assertEqual("".join(each["text"] for each in messages if each["mode"] == "2pass-offline"), TEXT)
        self.assertTrue(messages[-1]["is_final"])


if __name__ == "__main__":
    unittest.main()
