// The console in a real browser. Each check is a line of CHECKS; each page is looked at in both colour schemes, at the
// width of a phone and of a desk, by axe-core as well.
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { CONSOLE_URL, PROXY_URL, GUARDED_URL, CONSOLE_TOKEN, SITE, PICTURES, NODE_PACKAGES, CHROMIUM } = process.env;
const load = createRequire(join(NODE_PACKAGES, "package.json"));
const { chromium } = load("playwright-core");
const AXE = readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 20_000;
const ANVIL = "Which anvil is the lightest to carry?";

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
let slowest = { milliseconds: 0 };

/** A page that fails the check when its script fails, when something is refused by its policy, or when a script of
 * somebody else runs. */
async function open(look = {}, base = CONSOLE_URL) {
  const context = await browser.newContext({
    baseURL: base,
    colorScheme: look.scheme ?? "light",
    viewport: { width: look.width ?? 1400, height: 900 },
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(`script: ${error}`));
  page.on("console", (message) => { if (message.type() === "error") page.faults.push(message.text()); });
  page.on("dialog", (dialog) => { page.faults.push(`alert: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    if (!request.url().startsWith(base)) page.faults.push(`asked elsewhere: ${request.url()}`);
  });
  return page;
}

async function close(page, expected = []) {
  const faults = page.faults.filter((fault) => !expected.some((part) => fault.includes(part)));
  await page.context().close();
  assert.deepEqual(faults, []);
}

async function explain(page, text) {
  await page.goto("/console/try");
  await page.getByLabel("Question or conversation").fill(text);
  await page.getByRole("button", { name: "Explain" }).click();
  await page.waitForSelector("#result, #problem");
}

/** One chat request of a conversation of its own. */
async function ask(number, question = ANVIL) {
  const messages = [{ role: "system", content: `conversation ${number}` }, { role: "user", content: question }];
  const response = await fetch(`${PROXY_URL}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "wordy", messages }),
  });
  assert.equal(response.status, 200);
  await response.text();
}

/** Pages, with what must be done before one can look. */
const PAGES = [
  ["overview", (page) => page.goto("/console/")],
  ["try", (page) => page.goto("/console/try")],
  ["try-injected", (page) => explain(page, `User: Hello there\nAssistant: Hello.\nUser: ${ANVIL}`)],
  ["try-nothing", (page) => explain(page, "What is the capital of France?")],
  ["try-problem", (page) => explain(page, "{\"not\": json")],
  ["knowledge", (page) => page.goto("/console/knowledge")],
  ["brand", async (page) => {
    await page.goto("/console/knowledge/acme");
    for (const item of await page.locator("details.item > summary").all()) await item.click();
  }],
  ["script-brand", (page) => page.goto("/console/knowledge/script")],
  ["requests", (page) => page.goto("/console/requests")],
  ["receipt", async (page) => {
    await page.goto("/console/requests?decision=injected");
    await page.locator("#rows a").first().click();
    await page.waitForURL(/requests\/[0-9a-f-]{36}/);
  }],
  ["experiments", (page) => page.goto("/console/experiments")],
  ["measure", (page) => page.goto("/console/measure")],
  ["report", (page) => page.goto("/console/measure/first")],
  ["missing", (page) => page.goto("/console/nothing")],
];

async function look(name, go, scheme, width) {
  const page = await open({ scheme, width });
  // A hundredth of what is called good: parts of a pixel, while a page is painted piece by piece, are no movement.
  await page.addInitScript(() => {
    globalThis.shifts = [];
    new PerformanceObserver((list) => globalThis.shifts.push(...list.getEntries().filter((entry) => !entry.hadRecentInput && entry.value >= 0.001)))
      .observe({ type: "layout-shift", buffered: true });
  });
  await go(page);
  await settle(page);
  const seen = await page.evaluate(() => ({
    page: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
    shifted: globalThis.shifts.map(({ value, sources }) => `${value}: ${sources.map(({ node }) => node?.outerHTML?.slice(0, 80)).join(", ")}`),
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    headings: document.querySelectorAll("h1").length,
    current: document.querySelectorAll("nav [aria-current=page]").length,
  }));
  assert.ok(seen.page <= seen.window, `${name}: ${seen.page} pixels in a window of ${seen.window}`);
  assert.deepEqual(seen.shifted, [], `${name}: the page moves while it loads`);
  assert.equal(seen.headings, 1, `${name}: one heading of the first rank`);
  assert.equal(seen.current, name === "missing" ? 0 : 1, `${name}: its place in the navigation`);
  if (seen.paint > slowest.milliseconds) slowest = { milliseconds: Math.round(seen.paint), name, scheme, width };
  await page.screenshot({ path: join(PICTURES, `${name}-${scheme}-${width}.png`), fullPage: true });
  await examine(page, `${name}, ${scheme}, ${width}`);
  await close(page, name === "missing" ? ["404"] : name === "try-problem" ? ["422"] : []);
}

/** Waits until the page is loaded, painted, and has fetched what its script wants. */
async function settle(page) {
  await page.waitForLoadState("load");
  await page.waitForFunction(() => !document.querySelector("#model") || document.querySelector("#model").value);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Fails where axe-core finds something serious. */
async function examine(page, name) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { iframes: false }));
  const shown = violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => node.html).join(" | ").slice(0, 300)}`);
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.equal(serious.length, 0, `${name}:\n${shown.join("\n")}`);
}

const CHECKS = {
  "empty pages say what will be here": async () => {
    const page = await open();
    for (const path of ["/console/", "/console/requests", "/console/experiments"]) {
      await page.goto(path);
      await page.getByText("Nothing has been counted yet").waitFor();
      await page.screenshot({ path: join(PICTURES, `empty${path.replaceAll("/", "-")}.png`), fullPage: true });
    }
    await close(page);
  },
  "a conversation is tried by keyboard alone": async () => {
    const page = await open();
    await page.goto("/console/try");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "conversation");
    await page.keyboard.type(ANVIL);
    await page.keyboard.press("Control+Enter");
    await page.getByText(/item is added|items are added/).waitFor();
    assert.ok((await page.locator("tr.told").count()) > 0);
    assert.ok((await page.locator(".messages li.added").count()) > 0);
    await close(page);
  },
  "limits are changed for one try": async () => {
    const page = await open();
    await page.goto("/console/try");
    await page.getByLabel("Question or conversation").fill(ANVIL);
    await page.getByText("Change something for this try only").click();
    await page.getByLabel("Score that is needed").fill("1.9");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText("Nothing is added: no item fits").waitFor();
    await page.getByLabel("Score that is needed").fill("");
    await page.getByLabel("Recipe").selectOption("inline");
    await page.getByLabel("Most items a turn").fill("1");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText("Recipe inline: at most 1 item").waitFor();
    await page.getByText("The raw request").click();
    assert.ok((await page.locator(".bytes ins").textContent()).includes("FeatherAnvil"));
    await page.getByLabel("Brand").selectOption("script");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText("Nothing is added").waitFor();
    await close(page);
  },
  "both answers stream side by side": async () => {
    const page = await open();
    await explain(page, ANVIL);
    await page.waitForFunction(() => document.querySelector("#model").value === "wordy");
    await page.getByRole("button", { name: "Ask for both answers" }).click();
    await page.getByText("names yours 0 times, others 1 time").waitFor();
    await page.getByText("names yours 1 time, others 0 times").waitFor();
    assert.deepEqual(await page.locator("#injected mark").allTextContents(), ["Acme"]);
    assert.deepEqual(await page.locator("#direct mark.other").allTextContents(), ["HeavyCo"]);
    assert.equal(await page.locator("#injected").textContent(), "Take the FeatherAnvil by Acme. <b>It</b> is light. ");
    await page.screenshot({ path: join(PICTURES, "answers.png"), fullPage: true });
    await page.locator("#model").fill("refusing");
    await page.getByRole("button", { name: "Ask for both answers" }).click();
    await page.locator("#direct", { hasText: "no such model <b>here</b>" }).waitFor();
    await page.locator("#model").fill("endless");
    await page.getByRole("button", { name: "Ask for both answers" }).click();
    await page.waitForFunction(() => document.querySelector("#direct").textContent.length > 60);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#direct ~ .status", { hasText: "stopped" }).waitFor();
    assert.ok(await page.getByRole("button", { name: "Ask for both answers" }).isEnabled());
    await close(page);
  },
  "new requests appear while one follows": async () => {
    const page = await open();
    await page.goto("/console/requests");
    await page.getByRole("button", { name: "Follow new requests" }).click();
    await page.getByText("waiting for the next request").waitFor();
    const before = await page.locator("#rows tr").count();
    await ask("first");
    await page.waitForFunction((rows) => document.querySelectorAll("#rows tr").length === rows, before + 1);
    await ask("second");
    await ask("third", "What is the capital of France?");
    await page.waitForFunction((rows) => document.querySelectorAll("#rows tr").length === rows, before + 3);
    await page.getByRole("button", { name: "Follow new requests", pressed: true }).click();
    await page.locator("#rows a").first().click();
    await page.getByRole("heading", { name: "Receipt" }).waitFor();
    await close(page);
  },
  "receipts are filtered": async () => {
    const page = await open();
    await page.goto("/console/requests");
    const before = await page.locator("#rows tr").count();
    await page.getByRole("button", { name: "Follow new requests" }).click();
    for (let number = 0; number < 40; number += 1) await ask(number);
    // They are kept a moment after their answers have left.
    await page.waitForFunction((rows) => document.querySelectorAll("#rows tr").length === rows, before + 40);
    await page.getByLabel("Decision").selectOption("holdout");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/decision=holdout/);
    const decisions = new Set(await page.locator("#rows td:nth-of-type(1)").allTextContents());
    assert.deepEqual([...decisions], ["holdout"]);
    await page.getByLabel("Brand named").selectOption("yes");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("No receipt matches all of this.").waitFor();
    await close(page);
  },
  "the experiment says what it found": async () => {
    const page = await open();
    await page.goto("/console/experiments");
    await page.getByText(/It works: since .* answers name the brand more often/).waitFor();
    await page.getByRole("img", { name: /Lift so far/ }).waitFor();
    await page.getByText("The numbers").first().click();
    await page.getByRole("region", { name: "Numbers of Lift so far" }).waitFor();
    await page.goto("/console/");
    await page.getByRole("link", { name: "How this is known" }).click();
    await page.waitForURL(/experiments\?brand=acme&days=7/);
    await page.goto("/console/");
    await page.getByLabel("Time").selectOption("30");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/days=30/);
    await close(page);
  },
  "topics, languages and costs are told": async () => {
    const page = await open();
    await page.goto("/console/experiments");
    const topics = page.getByRole("region", { name: "By topic" });
    assert.match(await topics.getByRole("row", { name: /anvils/ }).textContent(), /answers/);
    await page.getByRole("region", { name: "By language" }).getByRole("row", { name: /^en/ }).waitFor();
    await page.goto("/console/");
    await page.getByText("what was added costs").waitFor();
    await page.getByText("for 1,000 requests that got something").waitFor();
    await page.getByText("One answer more").waitFor();
    await close(page);
  },
  "what people ask and nothing is written about is shown": async () => {
    const page = await open();
    for (let number = 0; number < 3; number += 1) {
      await ask(`vouchers ${number}`, `Do they sell gift vouchers <b>now</b>? Write to jane${number}@private.example`);
    }
    await ask("alone", "Sing me a song about the sea");
    const reload = async () => { await page.goto("/console/knowledge"); return page.locator("main").textContent(); };
    const patience = Date.now() + PATIENCE;
    let text = await reload();
    while (!text.includes("3 conversations") && Date.now() < patience) text = await reload();
    assert.ok(text.includes("gift vouchers <b>now</b>? Write to [e-mail]"), text);
    assert.ok(!text.includes("jane") && !text.includes("the sea"), text);
    await page.screenshot({ path: join(PICTURES, "unanswered.png"), fullPage: true });
    await page.getByRole("link", { name: "Why nothing?" }).first().click();
    await page.getByText("Nothing is added").waitFor();
    await close(page);
  },
  "items are looked through": async () => {
    const page = await open();
    await page.goto("/console/knowledge");
    await page.getByRole("link", { name: "Acme Anvils" }).click();
    await page.getByLabel("Words").fill("warranty");
    await page.keyboard.press("Enter");
    await page.getByText("1 of 4 items").waitFor();
    await page.locator("details.item > summary").click();
    assert.equal(await page.getByRole("link", { name: /acme.example/ }).getAttribute("href"), "https://acme.example/anvils?a=1&b=2");
    await page.goto("/console/knowledge/acme");
    await page.getByLabel("Use in 30 days").selectOption("most used first");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/use=most/);
    assert.match(await page.locator("details.item > summary").first().textContent(), /used \d+ times/);
    await page.getByLabel("Use in 30 days").selectOption("never used");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/use=never/);
    assert.doesNotMatch(await page.locator("main").textContent(), /used \d+ times/);
    await page.goto("/console/knowledge/acme?state=expired");
    await page.getByText("Winter sale").waitFor();
    await close(page);
  },
  "a mistake in a file is shown with its place": async () => {
    const page = await open();
    const file = join(SITE, "knowledge/acme/brand.toml");
    const sound = readFileSync(file, "utf8");
    appendFileSync(file, "languages = [\"en\" \"de\"]\n");
    await page.goto("/console/knowledge");
    await page.getByRole("button", { name: "Read the files again" }).click();
    await page.getByText("The last good version is still in use").waitFor();
    await page.getByText(/brand\.toml:4:/).waitFor();
    await page.screenshot({ path: join(PICTURES, "mistake.png"), fullPage: true });
    writeFileSync(file, sound);
    await page.getByRole("button", { name: "Read the files again" }).click();
    await page.getByText("The latest version of your files is in use").waitFor();
    await close(page);
  },
  "a report opens in its place": async () => {
    const page = await open();
    await page.goto("/console/measure");
    await page.getByRole("link", { name: "first" }).click();
    await page.frameLocator("iframe").getByText("A stored report.").waitFor();
    await close(page);
  },
  "one signs in and out": async () => {
    const page = await open({}, GUARDED_URL);
    await page.goto("/console/try");
    await page.waitForURL(/sign-in/);
    await page.screenshot({ path: join(PICTURES, "sign-in.png"), fullPage: true });
    await page.getByLabel("Admin token").fill("another");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("That is not the admin token.").waitFor();
    await page.getByLabel("Admin token").fill(CONSOLE_TOKEN);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.screenshot({ path: join(PICTURES, "live-off.png"), fullPage: true });
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(/sign-in/);
    await page.goto("/console/");
    await page.waitForURL(/sign-in/);
    await examine(page, "sign-in");
    await close(page, ["401"]);
  },
};
for (const [name, go] of PAGES) {
  CHECKS[`${name} looks as it should`] = async () => {
    for (const scheme of ["light", "dark"]) {
      for (const width of [390, 1400]) {
        await look(name, go, scheme, width);
      }
    }
  };
}

let failed = 0;
for (const [name, check] of Object.entries(CHECKS)) {
  try {
    await check();
    console.log(`  ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`  FAIL  ${name}\n${error.stack ?? error}`);
  }
}
await browser.close();
console.log(`  slowest first paint: ${slowest.milliseconds} ms (${slowest.name}, ${slowest.scheme}, ${slowest.width})`);
console.log(failed === 0 ? `  all ${Object.keys(CHECKS).length} checks passed` : `  ${failed} checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
