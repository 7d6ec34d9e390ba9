// "Try it": a form for each route, which sends a real request and shows the response.

import { currentKey } from "./account.js";
import { absoluteUrl, formatBytes, formatTime, make } from "./dom.js";

const SHOWN_HEADERS = [
  "content-type", "x-request-id", "x-credits-charged", "x-credits-remaining", "ratelimit", "retry-after",
  "idempotent-replayed", "server-timing", "link",
];

const PAID = ["blur", "removebg"];

/** Return the form for a route: parameters, headers, fields, and the area for the response. */
export function tryForm({ path, verb, call, keyName, body }) {
  const form = make("form", { className: "try" });
  const route = `${verb}-${path}`;
  const headers = [], parts = [];
  if (keyName) headers.push(field(route, keyName, { kind: "password", value: currentKey() ?? "", isRequired: true }));
  for (const { name, in: place, required } of call.parameters ?? []) {
    const entry = field(route, name, { isRequired: required });
    if (place === "header") headers.push(entry);
    else parts.push({ ...entry, place });
  }
  const fields = Object.entries(body?.schema.properties ?? {})
    .map(([name, schema]) => field(route, name, { schema, isRequired: body.schema.required?.includes(name) }));
  const output = make("div", { className: "response", ariaLive: "polite" });
  const button = make("button", { type: "submit", className: "button", textContent: "Send" });
  const note = PAID.includes(call.operationId) ? [make("p", { className: "note", textContent: "This is a real call: with a live key, its result costs credits." })] : [];
  form.append(...parts.map(({ row }) => row), ...headers.map(({ row }) => row), ...fields.map(({ row }) => row), button, ...note, output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      output.replaceChildren(...(await send(verb, filledIn(path, parts), headers, fields, body?.kind)));
    } catch {
      output.replaceChildren(make("p", { textContent: "The service cannot be reached." }));
    }
    button.disabled = false;
  });
  return make("details", { className: "try-it" }, make("summary", { textContent: "Try it" }), form);
}

/** The path with the values of its parameters, and the query. */
function filledIn(path, parts) {
  const query = new URLSearchParams();
  let filled = path;
  for (const { name, place, input } of parts) {
    if (place === "path") filled = filled.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value) query.append(name, input.value);
  }
  return query.size ? `${filled}?${query}` : filled;
}

function field(route, name, { kind = "text", value = "", schema = {}, isRequired = false }) {
  const id = `try-${route}-${name}`.replace(/[^a-z0-9]+/gi, "-");
  const input = schema.enum
    ? make("select", { id, name }, make("option", { value: "", textContent: "–" }), ...schema.enum.map((each) => make("option", { value: each, textContent: each })))
    : make("input", { id, name, value, type: typeOf(schema, kind), autocomplete: "off" });
  if (schema.default !== undefined && input.tagName === "INPUT") input.placeholder = schema.default;
  if (name === "radius") input.value = 12;
  const label = make("label", { htmlFor: id }, make("code", { textContent: name }), isRequired ? make("span", { className: "must", textContent: "required" }) : "");
  return { name, input, row: make("div", { className: "entry" }, label, input) };
}

const typeOf = ({ format, type }, kind) => (format === "binary" ? "file" : type === "integer" ? "number" : kind);

async function send(verb, path, headers, fields, kind) {
  const values = fields.map(({ name, input }) => [name, input.files ? input.files[0] : input.value]).filter(([, value]) => value);
  const request = { method: verb.toUpperCase(), headers: {} };
  for (const { name, input } of headers) if (input.value) request.headers[name] = input.value;
  if (kind === "application/json") {
    request.headers["Content-Type"] = kind;
    request.body = JSON.stringify(Object.fromEntries(values.map(([name, value]) => [name, Number(value) || value])));
  } else if (kind) {
    request.body = new FormData();
    for (const [name, value] of values) request.body.append(name, value);
  }
  const started = performance.now();
  const response = await fetch(absoluteUrl(path.slice(1)), request);
  const blob = await response.blob();
  const took = performance.now() - started;
  const lines = SHOWN_HEADERS.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
  const head = `HTTP ${response.status} in ${formatTime(took)}, ${formatBytes(blob.size)}`;
  return [pre([head, ...lines].join("\n")), await showBody(blob)];
}

async function showBody(blob) {
  if (blob.type.startsWith("image/")) return make("img", { src: URL.createObjectURL(blob), alt: "The result" });
  if (blob.type === "application/zip") return pre("A ZIP archive with color.jpg and alpha.png.");
  const text = await blob.text();
  try {
    return pre(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    return pre(text);
  }
}

const pre = (text) => make("pre", { tabIndex: 0 }, make("code", { textContent: text }));
