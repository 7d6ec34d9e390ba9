// The reference, written from the description that the API serves. Its texts are set as texts.

import { byId, here, make } from "./dom.js";

const VERBS = ["get", "post", "put", "delete"]; // each route's OPTIONS is told of once, above

let description = {};

const followed = (node) =>
  node?.$ref ? node.$ref.slice(2).split("/").reduce((at, step) => at[step], description) : node;

/** Turn `…` into code; everything else stays text. */
function prose(text = "") {
  return text.trim().split("`").map((part, index) => (index % 2 ? make("code", { textContent: part }) : part));
}

function table(titles, rows) {
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col", textContent: title })));
  const body = rows.map(([first, ...others]) =>
    make("tr", {}, make("th", { scope: "row" }, ...first), ...others.map((cells) => make("td", {}, ...cells))));
  const whole = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: titles.join(", ") }, whole);
}

function boundsOf(schema) {
  const told = [];
  if (schema.enum) told.push(schema.enum.join(", "));
  else if (schema.type === "integer" && schema.maximum !== undefined) {
    told.push(`whole number, ${schema.minimum} to ${schema.maximum.toLocaleString("en")}`);
  } else if (schema.format === "binary") told.push("file");
  else if (schema.type === "integer") told.push("whole number");
  else told.push("text");
  if (schema.maxLength) told.push(`${schema.minLength} to ${schema.maxLength} characters`);
  if (schema.default !== undefined) told.push(`default ${schema.default}`);
  return told.join("; ");
}

function named(name, required) {
  const mark = required ? [make("span", { className: "must", textContent: "required" })] : [];
  return [make("code", { textContent: name }), ...mark];
}

function explained(text, schema) {
  const bounds = make("p", { className: "bounds", textContent: boundsOf(schema) });
  return [make("p", {}, ...prose(text)), bounds];
}

function parametersOf(call) {
  const rows = (call.parameters ?? []).map(({ name, required, description: text, schema }) =>
    [named(name, required), explained(text, schema)]);
  if (!call.security) {
    const [scheme] = Object.values(description.components.securitySchemes);
    rows.unshift([named(scheme.name, true), explained(scheme.description, { type: "string" })]);
  }
  return rows.length ? [make("h3", { textContent: "Headers" }), table(["header", "takes"], rows)] : [];
}

function bodyOf({ requestBody: body }) {
  if (!body) return [];
  const kinds = Object.keys(body.content);
  const [{ schema: reference, example }] = Object.values(body.content);
  const schema = followed(reference);
  const rows = Object.entries(schema.properties).map(([name, property]) =>
    [named(name, schema.required.includes(name)), explained(property.description, property)]);
  const notes = [body.description, schema.description].filter(Boolean).join(" ");
  return [
    make("h3", { textContent: "Body" }),
    make("p", {}, ...kinds.flatMap((kind, index) => [index ? " or " : "", make("code", { textContent: kind })])),
    ...(notes ? [make("p", {}, ...prose(notes))] : []),
    table(["field", "takes"], rows),
    ...shown(example, "Example"),
  ];
}

function answersOf(call) {
  const rows = Object.entries(call.responses).map(([status, reference]) => {
    const answer = followed(reference);
    const kinds = Object.keys(answer.content ?? {}).join(", ");
    const bounds = kinds ? [make("p", { className: "bounds", textContent: kinds })] : [];
    return [[status], [make("p", {}, ...prose(answer.description)), ...bounds, ...codesOf(answer)]];
  });
  const examples = Object.values(call.responses).map(followed)
    .map(({ content }) => followed(content?.["application/json"]?.schema)?.example);
  return [
    make("h3", { textContent: "Answers" }),
    table(["status", "what"], rows),
    ...shown(examples.find(Boolean), "Example of the JSON"),
    make("details", {}, make("summary", { textContent: "Headers of the answers" }),
      table(["header", "tells"], headersOf(call))),
  ];
}

function codesOf(answer) {
  const [, own] = answer.content?.["application/json"]?.schema.allOf ?? [];
  const codes = own?.properties.error.properties.code.oneOf ?? [];
  const items = codes.map(({ const: code, description: text }) =>
    make("li", {}, make("code", { textContent: code }), ": ", ...prose(text)));
  return items.length ? [make("ul", { className: "codes" }, ...items)] : [];
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

function shown(example, title) {
  if (!example) return [];
  const code = make("code", { textContent: JSON.stringify(example, null, 2) });
  return [make("h3", { textContent: title }), make("pre", { tabIndex: 0 }, code)];
}

function callSection(path, verb, call) {
  const method = make("span", { className: "method", textContent: verb.toUpperCase() });
  const route = make("p", { className: "route" }, method, make("code", { textContent: path }));
  const text = make("p", {}, ...prose(call.description));
  const parts = [...parametersOf(call), ...bodyOf(call), ...answersOf(call)];
  const title = make("h2", { textContent: call.summary });
  return make("section", { className: "call", id: call.operationId }, title, route, text, ...parts);
}

function contentsEntry(verb, call) {
  const method = make("span", { className: "method", textContent: verb.toUpperCase() });
  return make("a", { href: `#${call.operationId}` }, method, call.summary);
}

async function open() {
  const answer = await fetch(here("openapi.json"));
  if (!answer.ok) throw new Error(`The answer was ${answer.status}.`);
  description = await answer.json();
  const calls = Object.entries(description.paths).flatMap(([path, verbs]) =>
    VERBS.filter((verb) => verbs[verb]).map((verb) => [path, verb, verbs[verb]]));
  byId("about").replaceChildren(...prose(description.info.description));
  byId("calls").replaceChildren(...calls.map((call) => callSection(...call)));
  byId("contents").replaceChildren(...calls.map(([, verb, call]) => contentsEntry(verb, call)));
  if (location.hash) byId(location.hash.slice(1))?.scrollIntoView();
}

open().catch((error) => {
  byId("about").textContent = `The description cannot be read just now. ${error.message}`;
});
