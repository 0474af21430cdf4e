// The little that needs a script: two answers that stream in side by side, and receipts that appear as they come.
// Everything else is plain pages.
"use strict";

const byId = (id) => document.getElementById(id);

/** Shows a text with its marks. Nothing is ever read as HTML. */
function show(place, text, marks) {
  const pieces = [];
  let at = 0;
  for (const mark of marks) {
    pieces.push(text.slice(at, mark.start));
    const element = document.createElement("mark");
    element.className = mark.class;
    element.title = mark.name;
    element.textContent = text.slice(mark.start, mark.end);
    pieces.push(element);
    at = mark.end;
  }
  pieces.push(text.slice(at));
  const follows = place.scrollTop + place.clientHeight >= place.scrollHeight - 8;
  place.replaceChildren(...pieces);
  if (follows) place.scrollTop = place.scrollHeight;
}

/** The lines of an answer as they come. */
async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) yield JSON.parse(line);
  }
}

function summary(done) {
  const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
  const said = [`names yours ${count(done.own, "time", "times")}, others ${count(done.others, "time", "times")}`];
  if (done.first !== null) said.push(`first word after ${done.first} ms`);
  said.push(`${done.milliseconds} ms in all`);
  const usage = done.usage || {};
  const prompt = usage.prompt_tokens ?? usage.input_tokens;
  if (prompt !== undefined) said.push(count(prompt, "prompt token", "prompt tokens"));
  return said.join(" · ");
}

async function ask(arm, fields, signal) {
  const place = byId(arm);
  const status = place.parentElement.querySelector(".status");
  let text = "";
  let marks = [];
  let waiting = false;
  const draw = () => { waiting = false; show(place, text, marks); };
  const fail = (message) => { place.classList.add("failed"); place.textContent = message; status.textContent = "no answer"; };
  place.classList.remove("failed");
  place.classList.add("busy");
  place.textContent = "";
  status.textContent = "waiting for the first word";
  try {
    const body = new URLSearchParams(fields);
    body.set("arm", arm);
    const response = await fetch("/console/try/answer", { method: "POST", body, signal });
    if (!response.ok) throw new Error(`the console answered ${response.status}; reload the page`);
    for await (const line of linesOf(response)) {
      if (line.error) return fail(line.error);
      if (line.text) { text += line.text; status.textContent = "answering"; }
      if (line.marks) marks = line.marks;
      if (line.done) status.textContent = summary(line.done);
      if (!waiting) { waiting = true; requestAnimationFrame(draw); }
    }
    draw();
  } catch (error) {
    if (error.name === "AbortError") { draw(); status.textContent = "stopped"; }
    else fail(`No answer: ${error.message}.`);
  } finally {
    place.classList.remove("busy");
  }
}

function prepareAsking() {
  const panel = byId("ask");
  if (!panel) return;
  const start = byId("ask-both");
  const stop = byId("stop");
  const model = byId("model");
  // What was explained is what is asked, even if the form has been changed meanwhile.
  const explained = [...new FormData(byId("try"))].filter(([name]) => name !== "asked");
  let running = null;
  fetch("/console/try/models").then((response) => response.json()).then(({ models }) => {
    byId("models").replaceChildren(...models.map((name) => Object.assign(document.createElement("option"), { value: name })));
    if (!model.value && models.length > 0) model.value = models[0];
  }).catch(() => {});
  start.disabled = false;
  panel.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    const fields = [...explained, ["model", model.value], ["key", byId("key")?.value ?? ""]];
    running = new AbortController();
    start.disabled = true;
    stop.disabled = false;
    await Promise.all(["direct", "injected"].map((arm) => ask(arm, fields, running.signal)));
    start.disabled = false;
    stop.disabled = true;
    running = null;
    if (document.activeElement === document.body) start.focus();
  });
  stop.addEventListener("click", () => running?.abort());
}

/** New receipts appear at the top while one follows; each look begins when the one before has ended. */
function prepareFollowing() {
  const button = byId("follow");
  if (!button) return;
  const rows = byId("rows");
  const status = byId("following");
  let newest = button.dataset.newest;
  let timer = null;
  let seen = 0;
  const look = async () => {
    try {
      const response = await fetch(button.dataset.tail + newest);
      if (!response.ok) throw new Error(`the console answered ${response.status}`);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const body = page.querySelector("tbody");
      const fresh = [...body.children];
      newest = body.dataset.newest;
      seen += fresh.length;
      rows.prepend(...fresh);
      while (rows.children.length > 200) rows.lastElementChild.remove();
      if (fresh.length > 0) document.querySelectorAll(".empty, #none").forEach((note) => note.remove());
      status.textContent = seen === 0 ? "waiting for the next request" : `${seen} new`;
    } catch (error) {
      status.textContent = `no answer: ${error.message}`;
    }
    if (button.getAttribute("aria-pressed") === "true") timer = setTimeout(look, 1000);
  };
  button.disabled = false;
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    clearTimeout(timer);
    if (on) look(); else status.textContent = "";
  });
}

// Ctrl or Command with Enter sends the question, as people expect of a field of several lines.
byId("conversation")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
});
prepareAsking();
prepareFollowing();
