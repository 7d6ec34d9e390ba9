// The reference, generated from the description that the API serves. Text is set as text, never as markup.

import { openCode, showCode } from "./code.js";
import { byId, here, make, show } from "./dom.js";
import { REMEDIES } from "./errors.js";
import { tryForm } from "./try.js";

const VERBS = ["get", "post", "put", "delete"]; // OPTIONS of each route is described once, above
const BOUNDARY = "photo-form";
const isWide = matchMedia("(min-width: 56rem)").matches;

let description = {};

const followed = (node) =>
  node?.$ref ? node.$ref.slice(2).split("/").reduce((at, step) => at[step], description) : node;

/** Turn `…` into code; everything else stays text. */
function prose(text = "") {
  return text.trim().split("`").map((part, index) => (index % 2 ? make("code", { textContent: part }) : part));
}

const paragraph = (text) => make("p", {}, ...prose(text));
const listing = (text) => make("pre", { tabIndex: 0 }, make("code", { textContent: text }));

function table(titles, rows) {
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col", textContent: title })));
  const body = rows.map(([first, ...others]) =>
    make("tr", {}, make("th", { scope: "row" }, ...first), ...others.map((cells) => make("td", {}, ...cells))));
  const whole = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: titles.join(", ") }, whole);
}

/** A part that can be folded; on a wide window it starts open if `isOpen`. */
function fold(title, isOpen, ...children) {
  return make("details", { open: isOpen && isWide }, make("summary", { textContent: title }), ...children);
}

function boundsOf(schema) {
  const bounds = [];
  if (schema.enum) bounds.push(schema.enum.join(", "));
  else if (schema.type === "integer" && schema.maximum !== undefined) {
    bounds.push(`whole number, ${schema.minimum} to ${schema.maximum.toLocaleString("en")}`);
  } else if (schema.format === "binary") bounds.push("file");
  else if (schema.type === "integer") bounds.push("whole number");
  else bounds.push("text");
  if (schema.maxLength) bounds.push(`${schema.minLength} to ${schema.maxLength} characters`);
  if (schema.default !== undefined) bounds.push(`default ${schema.default}`);
  return bounds.join("; ");
}

function named(name, required) {
  const mark = required ? [make("span", { className: "must", textContent: "required" })] : [];
  return [make("code", { textContent: name }), ...mark];
}

function explained(text, schema) {
  return [paragraph(text), make("p", { className: "bounds", textContent: boundsOf(schema) })];
}

function headersTaken(call) {
  const rows = (call.parameters ?? []).map(({ name, required, description: text, schema }) =>
    [named(name, required), explained(text, schema)]);
  if (!call.security) {
    const [scheme] = Object.values(description.components.securitySchemes);
    rows.unshift([named(scheme.name, true), explained(scheme.description, { type: "string" })]);
  }
  return rows.length ? [fold("Request headers", false, table(["header", "value"], rows))] : [];
}

function bodyOf(path, { requestBody: body }) {
  if (!body) return [];
  const kinds = Object.keys(body.content);
  const [{ schema: reference, example }] = Object.values(body.content);
  const schema = followed(reference);
  const rows = Object.entries(schema.properties).map(([name, property]) =>
    [named(name, schema.required.includes(name)), explained(property.description, property)]);
  const notes = [body.description, schema.description].filter(Boolean).join(" ");
  const isForm = kinds[0] === "multipart/form-data";
  return [
    fold("Fields", true,
      make("p", {}, ...kinds.flatMap((kind, index) => [index ? " or " : "", make("code", { textContent: kind })])),
      ...(notes ? [paragraph(notes)] : []),
      table(["field", "value"], rows)),
    fold("Example request", false, listing(isForm ? multipart(path, example) : JSON.stringify(example, null, 2))),
  ];
}

/** The request as it is sent: one part for each field (RFC 7578). */
function multipart(path, fields) {
  const { host, pathname } = new URL(here(path.slice(1)));
  const head = [
    `POST ${pathname} HTTP/1.1`, `Host: ${host}`, "ApiKey: YOUR_API_KEY",
    `Content-Type: multipart/form-data; boundary=${BOUNDARY}`, "",
  ];
  const parts = Object.entries(fields).flatMap(([name, value]) => {
    const isFile = name === "image";
    const disposition = `Content-Disposition: form-data; name="${name}"`;
    return isFile
      ? [`--${BOUNDARY}`, `${disposition}; filename="${value}"`, "Content-Type: image/jpeg", "", `(the bytes of ${value})`]
      : [`--${BOUNDARY}`, disposition, "", `${value}`];
  });
  return [...head, ...parts, `--${BOUNDARY}--`].join("\n");
}

function codesOf(answer) {
  const [, own] = answer.content?.["application/json"]?.schema.allOf ?? [];
  return own?.properties.error.properties.code.oneOf ?? [];
}

function answersOf(call) {
  const answers = Object.entries(call.responses).map(([status, reference]) => [status, followed(reference)]);
  const good = answers.filter(([status]) => status < 400);
  const bad = answers.filter(([status]) => status >= 400);
  const rows = good.map(([status, answer]) => {
    const kinds = Object.keys(answer.content ?? {}).join(", ");
    return [[status], [paragraph(answer.description), make("p", { className: "bounds", textContent: kinds })]];
  });
  const example = good.map(([, { content }]) => followed(content?.["application/json"]?.schema)?.example).find(Boolean);
  const errors = bad.map(([status, answer]) => [[status], codesOf(answer).flatMap(({ const: code }) =>
    [make("a", { href: `#error-${code}` }, make("code", { textContent: code })), " "])]);
  return [
    fold("Answer", true, table(["status", "meaning"], rows),
      ...(example ? [make("p", { textContent: "Example of the JSON:" }), listing(JSON.stringify(example, null, 2))] : [])),
    fold("Errors", false, table(["status", "codes"], errors), listing(envelope(bad[0]))),
    fold("Answer headers", false, table(["header", "meaning"], headersOf(call))),
  ];
}

/** An error response of this route. */
function envelope([, answer]) {
  const [{ const: code, description: text }] = codesOf(answer);
  const message = text.replaceAll("`", "").replace(/^./, (letter) => letter.toUpperCase());
  return JSON.stringify({ error: { code, message: `${message}.`, request_id: "req_7c9e…" } }, null, 2);
}

function headersOf(call) {
  const all = Object.values(call.responses).map((each) => followed(each).headers ?? {});
  const names = new Map();
  for (const headers of all) {
    for (const [name, header] of Object.entries(headers)) {
      if (!names.has(name)) names.set(name, followed(header).description);
    }
  }
  return Array.from(names, ([name, text]) => [named(name, false), prose(text)]);
}

function callSection(path, verb, call) {
  const method = make("span", { className: "method", textContent: verb.toUpperCase() });
  const route = make("p", { className: "route" }, method, make("code", { textContent: path }));
  const body = call.requestBody && Object.entries(call.requestBody.content)[0];
  const form = tryForm({ path, verb, call, body: body && { kind: body[0], schema: followed(body[1].schema) } });
  return make("section", { className: "part", id: call.operationId },
    make("h2", { textContent: call.summary }), route, paragraph(call.description ?? ""),
    ...headersTaken(call), ...bodyOf(path, call), ...answersOf(call), form);
}

/** Every code once, with its status, its meaning and the remedy. */
function errorEntries() {
  const entries = new Map();
  for (const [name, answer] of Object.entries(description.components.responses)) {
    for (const { const: code, description: text } of codesOf(answer)) {
      if (!entries.has(code)) entries.set(code, { status: statusOf(name), text });
    }
  }
  return Array.from(entries, ([code, { status, text }]) => {
    const summary = make("summary", {}, make("code", { textContent: code }), " ", make("span", { className: "bounds", textContent: status }));
    return make("details", { id: `error-${code}`, open: isWide }, summary,
      make("p", {}, make("b", { textContent: "Meaning: " }), ...prose(text), "."),
      make("p", {}, make("b", { textContent: "What to do: " }), ...prose(REMEDIES[code] ?? "")));
  });
}

/** The status of a shared response: that of the first route with it. */
function statusOf(name) {
  const outside = { NoRoute: "404", NoMethod: "405" }; // responses to requests that match no route
  for (const verbs of Object.values(description.paths)) {
    for (const verb of VERBS.filter((each) => verbs[each])) {
      for (const [status, { $ref }] of Object.entries(verbs[verb].responses)) {
        if ($ref === `#/components/responses/${name}`) return status;
      }
    }
  }
  return outside[name] ?? "";
}

const GUIDE_BLOCKS = {
  text: ({ text }) => paragraph(text),
  heading: ({ text }) => make("h3", { textContent: text }),
  code: ({ text }) => listing(text.replaceAll("$URL", here("./").replace(/\/$/, ""))),
  list: ({ items }) => make("ul", {}, ...items.map((item) => make("li", {}, ...prose(item)))),
  table: ({ titles, rows }) => table(titles, rows.map((cells) => cells.map(prose))),
};

function guideSection({ name, title, blocks }) {
  const body = make("details", { open: false }, make("summary", { textContent: "Identical parts, differences, improvements" }),
    ...blocks.map((block) => GUIDE_BLOCKS[block.kind](block)));
  return make("section", { className: "part guide", id: name }, make("h2", { textContent: title }), body);
}

function contentsEntry(id, text, verb = null) {
  const method = verb ? [make("span", { className: "method", textContent: verb.toUpperCase() })] : [];
  return make("a", { href: `#${id}` }, ...method, text);
}

/** Open the section in the address, or the section that contains it, and scroll there. */
function goToAddress() {
  const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (const each of [target.closest("details"), target.querySelector(":scope.guide > details")]) {
    if (each) each.open = true;
  }
  target.scrollIntoView();
}

async function read(path) {
  const answer = await fetch(here(path));
  if (!answer.ok) throw new Error(`The service answered with status ${answer.status}.`);
  return answer.json();
}

async function open() {
  byId("base").textContent = here("./");
  openCode();
  showCode({ radius: "12" });
  const [served, guides] = await Promise.all([read("openapi.json"), read("guides.json")]);
  description = served;
  const calls = Object.entries(description.paths).flatMap(([path, verbs]) =>
    VERBS.filter((verb) => verbs[verb]).map((verb) => [path, verb, verbs[verb]]));
  byId("about").replaceChildren(...prose(description.info.description));
  byId("calls").replaceChildren(...calls.map((call) => callSection(...call)));
  byId("envelope").textContent = JSON.stringify(
    { error: { code: "rate_limit_exceeded", message: "…", request_id: "req_7c9e…", retry_after: 12 } }, null, 2);
  byId("codes").replaceChildren(...errorEntries());
  show(byId("errors"));
  byId("guides").replaceChildren(...guides.map(guideSection));
  byId("contents").replaceChildren(
    contentsEntry("getting-started", "Getting started"),
    ...calls.map(([, verb, call]) => contentsEntry(call.operationId, call.summary, verb)),
    contentsEntry("errors", "Errors"),
    ...guides.map(({ name, title }) => contentsEntry(name, title)),
  );
  addEventListener("hashchange", goToAddress);
  goToAddress();
}

open().catch((error) => {
  byId("about").textContent = `The description cannot be read at the moment. ${error.message}`;
});
