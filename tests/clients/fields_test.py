"""Each field that openapi.json documents is taken with a recording, at its default and at each value it lists.

usage: TUTTI_WEB_URL=http://127.0.0.1:8000 fields_test.py
"""
import os
import pathlib
import unittest

import requests

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RECORDING = ROOT / ".cache/samples/prompts/agent-loginok.g722"
URL = os.environ["TUTTI_WEB_URL"].rstrip("/")


def values(schema):
    return schema.get("enum") or [value for value in [schema.get("default"), *schema.get("examples", [])] if value is not None]


class Fields(unittest.TestCase):
    def check(self, path, schema, part, without=()):
        fields = requests.get(f"{URL}/openapi.json").json()["components"]["schemas"][schema]["properties"]
        for name, field in fields.items():
            if name == part or name in without:
                continue
            self.assertTrue(values(field), f"{name} has no default, value or example")
            for value in values(field):
                with self.subTest(path=path, **{name: value}):
                    also = {"response_format": "verbose_json"} if name.startswith("timestamp") else {}
                    if "token by token" in field.get("description", ""):
                        also["model"] = "whisper-base"
                    with open(RECORDING, "rb") as recording:
                        answer = requests.post(URL + path, data={**also, name: value}, files={part: recording})
                    self.assertIn(answer.status_code, (200, 202), answer.text)

    def test_of_transcribe(self):
        # The recording has a format of its own.
        self.check("/v1/transcribe", "TranscribeFields", "file", ["raw_format"])

    def test_of_jobs(self):
        self.check("/v1/jobs", "JobFields", "file", ["raw_format", "webhook"])

    def test_of_openai(self):
        self.check("/v1/audio/transcriptions", "OpenAiFields", "file", ["diarized_json"])

    def test_what_a_model_cannot_do_is_a_refusal_that_names_the_field(self):
        for fields in ({"task": "translate"}, {"language": "en"}, {"model": "whisper-base", "language": "xx"}):
            with self.subTest(**fields), open(RECORDING, "rb") as recording:
                answer = requests.post(f"{URL}/v1/transcribe", data=fields, files={"file": recording})
                self.assertEqual(answer.status_code, 400)
                self.assertEqual(answer.json()["error"]["param"], list(fields)[-1])


if __name__ == "__main__":
    unittest.main()
