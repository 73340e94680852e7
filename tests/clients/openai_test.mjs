// OpenAI's own JavaScript client against a running server. Run by run.py, where the package is installed.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { test } from "node:test";
import OpenAI from "openai";

const recording = process.env.TUTTI_RECORDING;
const text = "agent logged in";
const client = new OpenAI({ baseURL: `${process.env.TUTTI_WEB_URL}/v1`, apiKey: "none", maxRetries: 0 });
const create = (options = {}) =>
  client.audio.transcriptions.create({ file: createReadStream(recording), model: "whisper-1", ...options });

test("json is the default", async () => assert.equal((await create()).text, text));

test("text and srt are text", async () => {
  assert.equal(await create({ response_format: "text" }), `${text}\n`);
  assert.match(await create({ response_format: "srt" }), /^1\n00:00:0\d,\d{3} --> .*\nagent logged in\n/);
});

test("verbose_json has segments", async () => {
  const answer = await create({ response_format: "verbose_json", timestamp_granularities: ["segment"] });
  assert.deepEqual(answer.segments.map((each) => each.text), [text]);
});

test("a stream has the text in pieces and whole", async () => {
  let pieces = "", whole = "";
  for await (const event of await create({ stream: true })) {
    if (event.type === "transcript.text.delta") pieces += event.delta;
    if (event.type === "transcript.text.done") whole = event.text;
  }
  assert.deepEqual([pieces, whole], [text, text]);
});

test("whisper tells its language and figures, and translates", async () => {
  const options = { model: "whisper-base", response_format: "verbose_json", timestamp_granularities: ["word", "segment"] };
  const answer = await create(options);
  assert.equal(answer.language, "english");
  assert.match(answer.text, /agent logged in/i);
  assert.ok(answer.segments[0].no_speech_prob < 0.6 && answer.segments[0].avg_logprob < 0);
  assert.match(answer.words.map((each) => each.word).join(" "), /agent logged in/i);
  const translation = await client.audio.translations.create({ file: createReadStream(recording), model: "whisper-base" });
  assert.match(translation.text, /agent logged in/i);
  await assert.rejects(client.audio.translations.create({ file: createReadStream(recording), model: "demo-paraformer" }),
                       OpenAI.BadRequestError);
});

test("models are listed", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, ["demo-paraformer", "whisper-base"]);
});

test("errors are the client's", async () => {
  await assert.rejects(create({ model: "no-such-model" }), OpenAI.NotFoundError);
  await assert.rejects(create({ response_format: "diarized_json" }), OpenAI.BadRequestError);
});
