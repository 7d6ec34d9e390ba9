// The reference, generated from the API's openapi.json. Text is never parsed as HTML.

import { openCode, showCode } from "./code.js";
import { absoluteUrl, byId, make, show } from "./dom.js";
import { REMEDIES } from "./errors.js";
import { tryForm } from "./docs-try.js";

const VERBS = ["get", "post", "put", "delete"]; // the introduction describes OPTIONS for all routes
const BOUNDARY = "photo-form";
const isWide = matchMedia("(min-width: 56rem)").matches;

let description = {};

const resolveRef = (node) =>
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

/** A section that can be collapsed; in a wide window, the section starts open if `isOpen`. */
function collapsible(title, isOpen, ...children) {
  return make("details", { open: isOpen && isWide }, make("summary", { textContent: title }), ...children);
}

function describeBounds(schema) {
  const bounds = [];
  if (schema.oneOf?.[0].type) bounds.push(schema.oneOf.map(describeBounds).join(", or "));
  else if (schema.enum) bounds.push(schema.enum.join(", "));
  else if (schema.type === "integer" && schema.maximum !== undefined) {
    bounds.push(`whole number, ${schema.minimum} to ${schema.maximum.toLocaleString("en")}`);
  } else if (schema.format === "binary") bounds.push("file");
  else if (schema.type === "integer") bounds.push("whole number");
  else if (schema.example && schema.pattern) bounds.push(`text such as ${schema.example}`);
  else bounds.push("text");
  if (schema.maxLength) bounds.push(`${schema.minLength ? `${schema.minLength} to` : "at most"} ${schema.maxLength} characters`);
  if (schema.default !== undefined) bounds.push(`default ${schema.default}`);
  return bounds.join("; ");
}

function nameCell(name, required) {
  const mark = required ? [make("span", { className: "must", textContent: "required" })] : [];
  return [make("code", { textContent: name }), ...mark];
}

function descriptionCell(text, schema) {
  return [paragraph(text), make("p", { className: "bounds", textContent: describeBounds(schema) })];
}

/** The description of the header with the API key, or undefined for a route that needs no key. */
function keyOf(call) {
  const [name] = Object.keys((call.security ?? description.security)[0] ?? {});
  return description.components.securitySchemes[name];
}

/** The table rows of the parameters whose `in` is one of `places`: `path` and `query`, or `header`. */
function parameterRows(call, ...places) {
  return (call.parameters ?? []).filter((each) => places.includes(each.in)).map(
    ({ name, required, description: text, schema }) => [nameCell(name, required), descriptionCell(text, schema)]);
}

function urlParameters(call) {
  const rows = parameterRows(call, "path", "query");
  return rows.length ? [collapsible("Parameters of the URL", false, table(["parameter", "value"], rows))] : [];
}

function requestHeaders(call) {
  const rows = parameterRows(call, "header");
  const scheme = keyOf(call);
  if (scheme) {
    rows.unshift([nameCell(scheme.name, true), descriptionCell(scheme.description, { type: "string" })]);
  }
  return rows.length ? [collapsible("Request headers", false, table(["header", "value"], rows))] : [];
}

function requestBody(path, call) {
  const { requestBody: body } = call;
  if (!body) return [];
  const kinds = Object.keys(body.content);
  const [{ schema: reference, example }] = Object.values(body.content);
  const schema = resolveRef(reference);
  const rows = Object.entries(schema.properties).map(([name, property]) =>
    [nameCell(name, schema.required?.includes(name)), descriptionCell(property.description, property)]);
  const notes = [body.description, schema.description].filter(Boolean).join(" ");
  const isForm = kinds[0] === "multipart/form-data";
  return [
    collapsible("Fields", true,
      make("p", {}, ...kinds.flatMap((kind, index) => [index ? " or " : "", make("code", { textContent: kind })])),
      ...(notes ? [paragraph(notes)] : []),
      table(["field", "value"], rows)),
    collapsible("Example request", false, listing(isForm ? multipart(path, keyOf(call).name, schema, example) : JSON.stringify(example, null, 2))),
  ];
}

/** The text of the example request: one part for each field (RFC 7578). */
function multipart(path, keyName, schema, fields) {
  const { host, pathname } = new URL(absoluteUrl(path.slice(1)));
  const head = [
    `POST ${pathname} HTTP/1.1`, `Host: ${host}`, `${keyName}: YOUR_API_KEY`,
    `Content-Type: multipart/form-data; boundary=${BOUNDARY}`, "",
  ];
  const parts = Object.entries(fields).flatMap(([name, value]) => {
    const isFile = schema.properties[name].format === "binary";
    const disposition = `Content-Disposition: form-data; name="${name}"`;
    return isFile
      ? [`--${BOUNDARY}`, `${disposition}; filename="${value}"`, "Content-Type: image/jpeg", "", `(the bytes of ${value})`]
      : [`--${BOUNDARY}`, disposition, "", `${value}`];
  });
  return [...head, ...parts, `--${BOUNDARY}--`].join("\n");
}

function errorCodes(response) {
  const [, own] = response.content?.["application/json"]?.schema.allOf ?? [];
  return own?.properties.error?.properties.code.oneOf ?? [];
}

/** The error codes in a response on `/v1.0/…`: remove.bg's errors have a different format. */
function removebgCodes(response) {
  const [, own] = response.content?.["application/json"]?.schema.allOf ?? [];
  return own?.properties.errors?.items.properties.code.oneOf ?? [];
}

/** The codes of an error. Each code links to its meaning; on remove.bg's paths, the meaning follows the code. */
function codeCells(response) {
  const links = errorCodes(response).flatMap(({ const: code }) =>
    [make("a", { href: `#error-${code}` }, make("code", { textContent: code })), " "]);
  const texts = removebgCodes(response).map(({ const: code, description: text }) =>
    make("p", {}, make("code", { textContent: code }), ": ", ...prose(text)));
  return [...links, ...texts];
}

function responseSections(call) {
  const responses = Object.entries(call.responses).map(([status, reference]) => [status, resolveRef(reference)]);
  const good = responses.filter(([status]) => status < 400);
  const bad = responses.filter(([status]) => status >= 400);
  const rows = good.map(([status, response]) => {
    const kinds = Object.keys(response.content ?? {}).join(", ");
    return [[status], [paragraph(response.description), make("p", { className: "bounds", textContent: kinds })]];
  });
  const example = good.map(([, { content }]) => resolveRef(content?.["application/json"]?.schema)?.example).find(Boolean);
  const errors = bad.map(([status, response]) => [[status], codeCells(response)]);
  return [
    collapsible("Response", true, table(["status", "meaning"], rows),
      ...(example ? [make("p", { textContent: "Example of the JSON:" }), listing(JSON.stringify(example, null, 2))] : [])),
    collapsible("Errors", false, table(["status", "codes"], errors), listing(errorExample(bad[0]))),
    collapsible("Response headers", false, table(["header", "meaning"], responseHeaders(call))),
  ];
}

/** Return an error of the route as an example, in JSON. */
function errorExample([, response]) {
  const removebg = resolveRef(response.content["application/json"].schema.allOf[0]).example;
  if (removebg.errors) return JSON.stringify(removebg, null, 2);
  const [{ const: code, description: text }] = errorCodes(response);
  const message = text.replaceAll("`", "").replace(/^./, (letter) => letter.toUpperCase());
  return JSON.stringify({ error: { code, message: `${message}.`, request_id: "req_7c9e…" } }, null, 2);
}

function responseHeaders(call) {
  const all = Object.values(call.responses).map((each) => resolveRef(each).headers ?? {});
  const names = new Map();
  for (const headers of all) {
    for (const [name, header] of Object.entries(headers)) {
      if (!names.has(name)) names.set(name, resolveRef(header).description);
    }
  }
  return Array.from(names, ([name, text]) => [nameCell(name, false), prose(text)]);
}

function callSection(path, verb, call) {
  const method = make("span", { className: "method", textContent: verb.toUpperCase() });
  const route = make("p", { className: "route" }, method, make("code", { textContent: path }));
  const body = call.requestBody && Object.entries(call.requestBody.content)[0];
  const form = tryForm({ path, verb, call, keyName: keyOf(call)?.name, body: body && { kind: body[0], schema: resolveRef(body[1].schema) } });
  return make("section", { className: "part", id: call.operationId },
    make("h2", { textContent: call.summary }), route, paragraph(call.description ?? ""),
    ...urlParameters(call), ...requestHeaders(call), ...requestBody(path, call), ...responseSections(call), form);
}

/** Return an entry for each error code, with its status, meaning and remedy. */
function errorEntries() {
  const entries = new Map();
  for (const [name, response] of Object.entries(description.components.responses)) {
    for (const { const: code, description: text } of errorCodes(response)) {
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

/** The status of a response in `components.responses`, from the first route that refers to it. */
function statusOf(name) {
  const outside = { NoRoute: "404", NoMethod: "405", JobClosed: "409" }; // responses that no route refers to
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
  code: ({ text }) => listing(text.replaceAll(/\$URL|\w+:\/\/api\.example\.com/g, absoluteUrl("./").replace(/\/$/, ""))),
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

/** Open the section that the address names, and any section around it, and scroll there. */
function goToAddress() {
  const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (const each of [target.closest("details"), target.querySelector(":scope.guide > details")]) {
    if (each) each.open = true;
  }
  target.scrollIntoView();
}

async function read(path) {
  const response = await fetch(absoluteUrl(path));
  if (!response.ok) throw new Error(`The service responded with status ${response.status}.`);
  return response.json();
}

async function open() {
  byId("base").textContent = absoluteUrl("./");
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
