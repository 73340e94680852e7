"""PyPI's funasr-python against a running server.

usage: TUTTI_WEB_URL=http://127.0.0.1:8000 TUTTI_WAV=a.wav funasr_python_test.py
"""
import asyncio
import os
import unittest
import wave

from funasr_client import AsyncFunASRClient, FunASRClient, SimpleCallback

URI = os.environ["TUTTI_WEB_URL"].replace("http", "ws", 1)
WAV = os.environ["TUTTI_WAV"]
TEXT = "agent logged in"


class FunAsrPython(unittest.TestCase):
    def test_a_file_offline(self):
        result = FunASRClient(server_url=URI, mode="offline").recognize_file(WAV)
        self.assertEqual((result.text, result.is_final), (TEXT, True))

    def test_a_stream_in_each_mode_ends_with_a_final_result(self):
        for mode in ("offline", "2pass", "online"):
            with self.subTest(mode):
                partial, final, errors = [], [], []

                async def recognise():
                    client = AsyncFunASRClient(server_url=URI, mode=mode)
                    with wave.open(WAV) as wav:
                        pcm = wav.readframes(wav.getnframes())

                    async def stream():
                        for at in range(0, len(pcm), 3200):
                            yield pcm[at:at + 3200]

                    callback = SimpleCallback(on_partial=partial.append, on_final=final.append, on_error=errors.append)
                    try:
                        await client.recognize_stream(stream(), callback)
                    finally:
                        await client.close()

                asyncio.run(asyncio.wait_for(recognise(), 60))
                self.assertEqual((errors, len(final)), ([], 1))
                texts = [each.text for each in partial + final if each.text]
                self.assertEqual(" ".join(texts) if mode == "online" else texts[-1], TEXT)


if __name__ == "__main__":
    unittest.main()
