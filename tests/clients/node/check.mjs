// Checks the real `openai` npm package against a base URL that leads, through the proxy, to ../upstream.py.
//
// Nothing of the package is changed but its base URL. Prints `ok NAME` or `FAIL NAME: why` for each check.
//
// FOREWORD_BASE_URL   where the package is pointed at, with /v1
// UPSTREAM_URL        the scripted upstream itself, with /v1: to ask what it saw
// FOREWORD_DIRECT     set where there is no proxy in between: the upstream and the checks are tested alone

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { createRequire } from "node:module";

// The package is in the checkout's ignored folder, where scripts/setup puts it.
const installed = createRequire(new URL("../../../.foreword/clients/node/package.json", import.meta.url));
const OpenAI = installed("openai");

const BASE_URL = process.env.FOREWORD_BASE_URL;
const UPSTREAM_URL = process.env.UPSTREAM_URL;
const THROUGH_PROXY = !process.env.FOREWORD_DIRECT;

const OFF_TOPIC = "What is the capital of France?";
const ON_TOPIC = "Which Python library stores and searches multimodal data such as text and images?";
const IMAGE = "data:image/png;base64," + "iVBORw0KGgo".repeat(20_000);
const TOOLS = ["weather", "import_rows"].map((name) => ({
  type: "function",
  function: { name, description: name, parameters: { type: "object", properties: {} } },
}));

const client = new OpenAI({ baseURL: BASE_URL, apiKey: "sk-check", maxRetries: 0, timeout: 30_000 });

const user = (text) => [{ role: "user", content: text }];
const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const ask = (model, messages = user(OFF_TOPIC), more = {}, options = {}) =>
  client.chat.completions.create({ model, messages, ...more }, options);
const contentOf = async (answer) => (await answer).choices[0].message.content;

async function upstream(path, method = "GET") {
  return (await fetch(UPSTREAM_URL + path, { method })).json();
}

// The upstream notices that its client is gone: asked until it does, for ten seconds at most.
async function waitForHangup(before) {
  const deadline = Date.now() + 10_000;
  while ((await upstream("/_hangups")).hangups <= before) {
    assert(Date.now() < deadline, "the upstream did not notice within 10 s that the client hung up");
  }
}

async function textOf(stream) {
  let text = "";
  for await (const chunk of await stream) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

async function checkError(status, kind) {
  const error = await ask(`error-${status}`).then(
    () => assert.fail("no error"),
    (error) => error,
  );
  assert(error instanceof kind, `${status} is ${error.constructor.name}`);
  assert.equal(error.status, status);
  assert.equal(error.code, `code_${status}`);
  assert.match(error.message, new RegExp(`scripted ${status}`));
  return error;
}

const checks = {
  async plain_chat() {
    const answer = await ask("echo", [{ role: "system", content: "Be short." }, ...user(OFF_TOPIC)]);
    assert.equal(answer.choices[0].message.role, "assistant");
    assert.equal(JSON.parse(answer.choices[0].message.content).last, OFF_TOPIC);
    assert.equal(answer.usage.total_tokens, 7);
  },

  async body_is_untouched_where_nothing_is_injected() {
    // `fetch` is only watched: the sha256 of the body that the package sends.
    let sent;
    const watching = client.withOptions({
      fetch: (url, init) => {
        sent = sha256(init.body);
        return fetch(url, init);
      },
    });
    const { data, response } = await watching.chat.completions
      .create({ model: "echo", messages: user(OFF_TOPIC), vendor_field: { b: 1, a: 1e21 } })
      .withResponse();
    const seen = JSON.parse(data.choices[0].message.content);
    assert.equal(seen.sha256, sent);
    assert.equal(seen.headers.authorization, "Bearer sk-check");
    if (THROUGH_PROXY) assert.notEqual(response.headers.get("x-foreword-decision"), "injected");
  },

  async on_topic_chat_is_injected() {
    const { data, response } = await ask("echo", user(ON_TOPIC)).withResponse();
    if (!THROUGH_PROXY) return;
    const seen = JSON.parse(data.choices[0].message.content);
    assert.equal(response.headers.get("x-foreword-decision"), "injected");
    assert(Number(response.headers.get("x-foreword-items")) > 0, "no items");
    assert(response.headers.get("x-foreword-receipt"), "no receipt");
    assert(seen.messages > 1, "nothing arrived upstream besides the question");
    assert.equal(seen.last, ON_TOPIC);
  },

  async headers_of_the_upstream_are_visible() {
    const { data, response, request_id } = await ask("echo").withResponse();
    assert.equal(response.headers.get("openai-processing-ms"), "7");
    assert.equal(response.headers.get("x-ratelimit-remaining-requests"), "41");
    assert.match(request_id, /^req_upstream_/);
    assert.equal(data._request_id, request_id);
    assert.equal(response.headers.has("x-foreword-decision"), THROUGH_PROXY);
  },

  async compressed_answer() {
    assert.equal(await contentOf(ask("compressed")), "packed ".repeat(5000));
  },

  async streaming_chat() {
    const chunks = [];
    const options = { stream: true, stream_options: { include_usage: true } };
    for await (const chunk of await ask("stream", user(OFF_TOPIC), options)) chunks.push(chunk);
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    assert(text.endsWith("data: [DONE] " + OFF_TOPIC), text);
    assert(text.includes("\u2028") && text.includes("👩‍🚀"), "text was changed");
    assert.equal(chunks.at(-1).usage.total_tokens, 7);
  },

  async streaming_chat_on_topic() {
    const text = await textOf(ask("stream", user(ON_TOPIC), { stream: true }));
    assert(text.endsWith(ON_TOPIC), "the question did not come back");
  },

  async events_are_not_held_back() {
    const name = randomUUID();
    const stream = await ask(`gated:${name}`, user(OFF_TOPIC), { stream: true });
    const events = stream[Symbol.asyncIterator]();
    assert.equal((await events.next()).value.choices[0].delta.content, "before ");
    // Only now does the upstream send the rest.
    await upstream(`/_release/${name}`, "POST");
    assert.equal((await events.next()).value.choices[0].delta.content, "after");
    assert.equal((await events.next()).done, true);
  },

  async tools_round_trip() {
    const messages = user(ON_TOPIC);
    const { message } = (await ask("tools", messages, { tools: TOOLS })).choices[0];
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: "Zürich" });
    assert.equal(JSON.parse(message.tool_calls[1].function.arguments).rows.length, 4000);
    messages.push(message);
    for (const id of ["call_a", "call_b"]) messages.push({ role: "tool", tool_call_id: id, content: `result ${id}` });
    const answer = await contentOf(ask("tools", messages, { tools: TOOLS }));
    assert.equal(answer, "tools said: result call_a / result call_b");
  },

  async tools_round_trip_streamed() {
    const messages = user(ON_TOPIC);
    const first = client.chat.completions.stream({ model: "tools", messages, tools: TOOLS });
    const { message } = (await first.finalChatCompletion()).choices[0];
    assert.deepEqual(message.tool_calls.map((call) => call.function.name), ["weather", "import_rows"]);
    messages.push(message);
    for (const { id } of message.tool_calls) messages.push({ role: "tool", tool_call_id: id, content: "done" });
    const second = ask("tools", messages, { tools: TOOLS, stream: true });
    assert.equal(await textOf(second), "tools said: done / done");
  },

  async long_conversation_on_topic() {
    const turns = Array.from({ length: 41 }, (_, n) => ({
      role: ["user", "assistant"][n % 2],
      content: `${ON_TOPIC} (${n})`,
    }));
    const content = await contentOf(ask("echo", [{ role: "system", content: "Be short." }, ...turns]));
    assert.equal(JSON.parse(content).last, `${ON_TOPIC} (40)`);
  },

  async image_parts() {
    const content = [
      { type: "text", text: ON_TOPIC },
      { type: "image_url", image_url: { url: IMAGE, detail: "low" } },
      { type: "image_url", image_url: { url: "https://example.com/a.png" } },
    ];
    const seen = JSON.parse(await contentOf(ask("vision", [{ role: "user", content }])));
    assert.deepEqual(seen.types, ["text", "image_url", "image_url"]);
    assert.equal(seen.images[0], sha256(IMAGE));
    assert.deepEqual(seen.detail, ["low", null]);
  },

  async structured_output() {
    const schema = {
      type: "object",
      properties: { city: { type: "string" }, people: { type: "integer" } },
      required: ["city", "people"],
      additionalProperties: false,
    };
    const response_format = { type: "json_schema", json_schema: { name: "city", strict: true, schema } };
    const messages = user(OFF_TOPIC);
    const answer = await client.chat.completions.parse({ model: "structured", messages, response_format });
    const { message } = answer.choices[0];
    assert.deepEqual(message.parsed ?? JSON.parse(message.content), { city: "Paris", people: 2102650 });
  },

  async abort_in_mid_stream() {
    const before = (await upstream("/_hangups")).hangups;
    const stream = await ask("slow-stream", user(OFF_TOPIC), { stream: true });
    let events = 0;
    for await (const _ of stream) if (++events === 3) stream.controller.abort();
    await waitForHangup(before);
  },

  async abort_before_the_first_byte() {
    const before = (await upstream("/_hangups")).hangups;
    await assert.rejects(ask("silent", user(OFF_TOPIC), {}, { timeout: 300 }), OpenAI.APIConnectionTimeoutError);
    await waitForHangup(before);
  },

  async upstream_breaks_off_in_mid_stream() {
    const words = [];
    const read = async () => {
      for await (const chunk of await ask("broken-stream", user(OFF_TOPIC), { stream: true })) {
        words.push(chunk.choices[0].delta.content);
      }
    };
    await assert.rejects(read(), "a broken stream looked like a whole one");
    // How many words come before the error is Node's business: its streams drop what was not read yet.
    assert.deepEqual(words, ["one ", "two ", "three "].slice(0, words.length));
  },

  async errors_are_mapped() {
    await checkError(400, OpenAI.BadRequestError);
    await checkError(401, OpenAI.AuthenticationError);
    await checkError(403, OpenAI.PermissionDeniedError);
    await checkError(404, OpenAI.NotFoundError);
    await checkError(409, OpenAI.ConflictError);
    await checkError(422, OpenAI.UnprocessableEntityError);
    await checkError(500, OpenAI.InternalServerError);
    await checkError(503, OpenAI.InternalServerError);
  },

  async rate_limit_says_when_to_retry() {
    const error = await checkError(429, OpenAI.RateLimitError);
    assert.equal(error.headers.get("retry-after"), "17");
  },

  async error_page_passes() {
    const error = await ask("error-html").catch((error) => error);
    assert.equal(error.status, 502);
    assert.match(error.message, /<h1>502 Bad Gateway<\/h1>/);
  },

  async package_retries_by_itself() {
    const retrying = client.withOptions({ maxRetries: 2 });
    const body = { model: `flaky:${randomUUID()}`, messages: user(OFF_TOPIC) };
    assert.equal(await contentOf(retrying.chat.completions.create(body)), "second time");
  },

  async models_list() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert(names.includes("echo"), "model echo is not listed");
  },

  async embeddings_with_a_large_body() {
    const input = Array.from({ length: 160 }, (_, n) => `${n} ` + "größe ".repeat(1000));
    const answer = await client.embeddings.create({ model: "any", input });
    assert.deepEqual(answer.data.map((entry) => entry.embedding[0]), input.map((text) => Buffer.byteLength(text)));
    assert(answer.data[0].embedding[1] > 1_000_000, "the body is not a megabyte");
  },

  async parallel_streams() {
    // Every other one gets an injection.
    const questions = Array.from({ length: 20 }, (_, n) => {
      return n % 2 ? `Caller ${n}: ${ON_TOPIC}` : `caller ${n} ` + "word ".repeat(200);
    });
    const streams = questions.map((question) => textOf(ask("stream", user(question), { stream: true })));
    const answers = await Promise.all(streams);
    questions.forEach((question, n) => assert(answers[n].endsWith(question), `wrong answer for caller ${n}`));
  },

  async legacy_completions() {
    const body = { model: "any", prompt: "Once upon a time" };
    assert.equal((await client.completions.create(body)).choices[0].text, "16 characters");
    let text = "";
    for await (const piece of await client.completions.create({ ...body, stream: true })) text += piece.choices[0].text;
    assert.equal(text, "16 characters");
  },

  async responses_plain() {
    assert.equal((await client.responses.create({ model: "any", input: OFF_TOPIC })).output_text, OFF_TOPIC);
  },

  async responses_streamed() {
    const stream = client.responses.stream({ model: "any", input: OFF_TOPIC });
    const kinds = [];
    for await (const event of stream) kinds.push(event.type);
    assert.equal((await stream.finalResponse()).output_text, OFF_TOPIC);
    assert.deepEqual([kinds[0], kinds.at(-1)], ["response.created", "response.completed"]);
  },

  async file_upload() {
    const content = Buffer.from(Array.from({ length: 256 * 12_000 }, (_, n) => n % 256));
    const file = new File([content], "rows.jsonl");
    const uploaded = await client.files.create({ file, purpose: "fine-tune" });
    assert.equal(uploaded.id, sha256(content));
    assert.deepEqual([uploaded.bytes, uploaded.purpose], [content.length, "fine-tune"]);
  },

  async speech_download() {
    const expected = Buffer.from(Array.from({ length: 256 * 1200 }, (_, n) => n % 256));
    const answer = await client.audio.speech.create({ model: "tts", voice: "alloy", input: "hello" });
    assert.equal(answer.headers.get("content-type"), "audio/mpeg");
    assert.equal(sha256(Buffer.from(await answer.arrayBuffer())), sha256(expected));
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log("ok", name);
  } catch (error) {
    failed += 1;
    const place = /check\.mjs:(\d+)/.exec(error.stack)?.[1] ?? "?";
    const why = `line ${place}: ${error.name}: ${error.message.replaceAll("\n", " ")}`;
    console.log(`FAIL ${name}: ${why}`.slice(0, 600));
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
