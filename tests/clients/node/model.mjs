// Asks a real model server through the openai package and the AI SDK, directly and through the proxy, and compares what a program
// sees but for the answer's content; see ../python/model.py, whose counterpart this is.

import { createRequire } from "node:module";

const installed = createRequire(new URL("../../../.foreword/clients/node/package.json", import.meta.url));
const OpenAI = installed("openai");
const { createOpenAI } = installed("@ai-sdk/openai");
const { generateText, streamText } = installed("ai");

const { FOREWORD_BASE_URL: BASE_URL, UPSTREAM_URL, MODEL } = process.env;
const ON_TOPIC = "Which Python library stores and searches multimodal data such as text and images?";
const ASKED = [{ role: "system", content: "You are short." }, { role: "user", content: ON_TOPIC }];
const TOKENS = 12;
// What is made anew for every request, noted by the package for itself, or of one connection.
const OWN = /^(id|messageId|timestamp|date|request|url|x-foreword-.*|_request_id|created|connection|keep-alive|transfer-encoding)$/;

globalThis.AI_SDK_LOG_WARNINGS = false;

// A value with types in place of what it holds.
function shape(value) {
  if (Array.isArray(value)) return [...new Set(value.map((entry) => JSON.stringify(shape(entry))))].sort();
  if (value !== null && typeof value === "object") {
    const kept = Object.keys(value).filter((key) => !OWN.test(key) && value[key] !== undefined && value[key] !== null);
    return Object.fromEntries(kept.sort().map((key) => [key, shape(value[key])]));
  }
  return typeof value;
}

const plain = (value) => JSON.parse(JSON.stringify(value));

async function kinds(stream) {
  const found = new Set();
  for await (const chunk of stream) found.add(JSON.stringify(shape(plain(chunk))));
  return [...found].sort();
}

async function failure(asked) {
  try {
    await asked();
    return "no error";
  } catch (error) {
    return [error.name, error.status ?? error.statusCode];
  }
}

const checks = {
  async "openai for Node"(baseURL) {
    const client = new OpenAI({ baseURL, apiKey: "sk-check", timeout: 120_000 });
    const common = { model: MODEL, messages: ASKED, max_tokens: TOKENS, temperature: 0 };
    return {
      plain: shape(plain(await client.chat.completions.create(common))),
      stream: await kinds(await client.chat.completions.create({ ...common, stream: true, stream_options: { include_usage: true } })),
      wrong: await failure(() => client.chat.completions.create({ model: MODEL, messages: [{ role: "user", content: 7 }] })),
    };
  },
  async "the AI SDK"(baseURL) {
    const model = createOpenAI({ baseURL, apiKey: "sk-check" }).chat(MODEL);
    const common = { model, system: "You are short.", prompt: ON_TOPIC, maxOutputTokens: TOKENS, temperature: 0 };
    const { content, finishReason, usage, response } = await generateText(common);
    const names = Object.keys(response.headers ?? {}).filter((name) => !OWN.test(name));
    return {
      plain: shape(plain({ content, finishReason, usage, body: response.body })),
      head: names.sort(),
      stream: await kinds(streamText(common).fullStream),
    };
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  const [direct, through] = [{}, {}];
  for (const [url, seen] of [[UPSTREAM_URL, direct], [BASE_URL, through]]) {
    for (let turn = 0; turn < 3; turn++) {
      for (const [part, found] of Object.entries(await check(url))) (seen[part] ??= new Set()).add(JSON.stringify(found));
    }
  }
  for (const part of Object.keys(direct)) {
    const [one, other] = [direct, through].map((seen) => JSON.stringify([...seen[part]].sort()));
    if (one === other) console.log(`ok ${name} ${part}`);
    else {
      console.log(`FAIL ${name} ${part}: directly ${one}, through the proxy ${other}`);
      failed++;
    }
  }
}
process.exit(failed ? 1 : 0);
