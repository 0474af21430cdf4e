// Checks the Vercel AI SDK with its OpenAI provider.
//
// Each check is run twice, against ../upstream.py itself and against the proxy in front of it, and gives what a program
// using the SDK sees. The two must be equal; see ../python/frameworks.py, whose counterpart this is.
//
// Prints `ok NAME` or `FAIL NAME: why` for each check. The environment is that of check.mjs.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const installed = createRequire(new URL("../../../.foreword/clients/node/package.json", import.meta.url));
const { createOpenAI } = installed("@ai-sdk/openai");
const { generateObject, generateText, stepCountIs, streamObject, streamText, tool } = installed("ai");
const { z } = installed("zod");

const BASE_URL = process.env.FOREWORD_BASE_URL;
const UPSTREAM_URL = process.env.UPSTREAM_URL;
const THROUGH_PROXY = !process.env.FOREWORD_DIRECT;

const OFF_TOPIC = "What is the capital of France?";
const ON_TOPIC = "Which Python library stores and searches multimodal data such as text and images?";
const IMAGE = "data:image/png;base64," + "iVBORw0KGgoA".repeat(2_000);
const ERRORS = [400, 401, 403, 404, 422, 429, 500, 503];
const CITY = z.object({ city: z.string(), people: z.number() });
// What the SDK and the servers make anew for every request: ids, clocks; and the fields that the proxy adds.
const OWN_FIELDS = /^(id|messageId|toolCallId|timestamp|date|x-request-id|x-foreword-.*|request|url)$/;

globalThis.AI_SDK_LOG_WARNINGS = false;

const chat = (baseURL, model) => createOpenAI({ baseURL, apiKey: "sk-check" }).chat(model);
const always = { maxRetries: 0 };

// As JSON types, without what is made anew.
function plain(value) {
  return JSON.parse(JSON.stringify(value, (key, entry) => (OWN_FIELDS.test(key) ? undefined : entry)));
}

// The parts of a result that a program reads.
function shown(result) {
  const { text, content, finishReason, usage, toolCalls, toolResults, steps, response, warnings } = result;
  return plain({ text, content, finishReason, usage, toolCalls, toolResults, steps, response, warnings });
}

async function errorOf(asked) {
  const error = await asked.then(
    () => assert.fail("no error"),
    (error) => error,
  );
  const { name, message, statusCode, isRetryable, responseBody, responseHeaders, data } = error;
  return plain({ name, message, statusCode, isRetryable, responseBody, responseHeaders, data });
}

function tools() {
  const inputSchema = z.object({}).loose();
  return {
    weather: tool({ description: "weather", inputSchema, execute: ({ city }) => `rain in ${city}` }),
    import_rows: tool({ description: "import_rows", inputSchema, execute: ({ rows }) => `${rows.length} rows` }),
  };
}

async function partsOf(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return plain(parts);
}

const checks = {
  async plain_chat(url) {
    const result = await generateText({ ...always, model: chat(url, "compressed"), system: "Be short.", prompt: ON_TOPIC });
    assert.equal(result.text, "packed ".repeat(5000));
    return shown(result);
  },

  async streaming_chat(url) {
    const result = streamText({ ...always, model: chat(url, "stream"), prompt: ON_TOPIC });
    const parts = await partsOf(result.fullStream);
    const text = await result.text;
    assert(text.endsWith(ON_TOPIC) && text.includes("👩‍🚀"), text);
    return [parts, plain(await result.usage)];
  },

  async tools_round_trip(url) {
    const options = { ...always, tools: tools(), stopWhen: stepCountIs(3), prompt: ON_TOPIC };
    const result = await generateText({ ...options, model: chat(url, "tools") });
    assert.equal(result.text, "tools said: rain in Zürich / 4000 rows");
    return shown(result);
  },

  async tools_round_trip_streamed(url) {
    const options = { ...always, tools: tools(), stopWhen: stepCountIs(3), prompt: ON_TOPIC };
    const result = streamText({ ...options, model: chat(url, "tools") });
    const parts = await partsOf(result.fullStream);
    assert.equal(await result.text, "tools said: rain in Zürich / 4000 rows");
    return parts;
  },

  async structured_output(url) {
    const result = await generateObject({ ...always, model: chat(url, "structured"), schema: CITY, prompt: ON_TOPIC });
    assert.deepEqual(result.object, { city: "Paris", people: 2102650 });
    return plain([result.object, result.finishReason, result.usage, result.response]);
  },

  async structured_output_of_a_wrong_form(url) {
    const schema = z.object({ city: z.number() });
    return errorOf(generateObject({ ...always, model: chat(url, "structured"), schema, prompt: ON_TOPIC }));
  },

  async streamed_objects(url) {
    let seen;
    const onError = ({ error }) => (seen = error.name);
    const result = streamObject({ ...always, model: chat(url, "stream"), schema: CITY, prompt: ON_TOPIC, onError });
    const parts = await partsOf(result.fullStream);
    const failure = await result.object.then(
      () => assert.fail("words became an object"),
      (error) => error.name,
    );
    return [parts, failure, seen];
  },

  async images(url) {
    const content = [
      { type: "text", text: ON_TOPIC },
      { type: "image", image: IMAGE, mediaType: "image/png" },
    ];
    const result = await generateText({ ...always, model: chat(url, "vision"), messages: [{ role: "user", content }] });
    const seen = JSON.parse(result.text);
    assert.deepEqual(seen.types, ["text", "image_url"]);
    assert.deepEqual(seen.images, [createHash("sha256").update(IMAGE).digest("hex")]);
    return shown(result);
  },

  async errors(url) {
    const asked = (status) => generateText({ ...always, model: chat(url, `error-${status}`), prompt: ON_TOPIC });
    return Promise.all([...ERRORS, "html"].map((status) => errorOf(asked(status))));
  },

  async a_stream_that_breaks_off(url) {
    const onError = () => {};
    const result = streamText({ ...always, model: chat(url, "broken-stream"), prompt: ON_TOPIC, onError });
    const kinds = [];
    try {
      for await (const part of result.fullStream) kinds.push([part.type, part.text]);
    } catch (error) {
      kinds.push([error.name, error.message]);
      const words = kinds.filter(([type]) => type === "text-delta").map(([, text]) => text);
      assert.deepEqual(words, ["one ", "two ", "three "]);
      return kinds;
    }
    assert.fail("a broken stream looked like a whole one");
  },

  async responses(url) {
    const model = createOpenAI({ baseURL: url, apiKey: "sk-check" })("any");
    const result = await generateText({ ...always, model, prompt: OFF_TOPIC });
    assert.equal(result.text, OFF_TOPIC);
    const parts = await partsOf(streamText({ ...always, model, prompt: OFF_TOPIC }).fullStream);
    return [shown(result), parts];
  },
};

async function anInjectionIsMade() {
  const { text } = await generateText({ ...always, model: chat(BASE_URL, "echo"), prompt: ON_TOPIC });
  const seen = JSON.parse(text);
  assert.equal(seen.last, ON_TOPIC);
  assert.equal(seen.messages > 1, THROUGH_PROXY, `the upstream saw ${seen.messages} messages`);
}

const todo = Object.entries(checks).map(([name, seen]) => [
  name,
  async () => assert.deepEqual(await seen(BASE_URL), await seen(UPSTREAM_URL)),
]);
todo.push(["an_injection_is_made", anInjectionIsMade]);
let failed = 0;
for (const [name, run] of todo) {
  try {
    await run();
    console.log(`ok ai_sdk_${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ai_sdk_${name}: ${String(error.stack).slice(0, 900)}`);
  }
}
console.log(`${todo.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
