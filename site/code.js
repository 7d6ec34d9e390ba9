// The API call as program code, with the current parameters. The code contains a variable instead of the key.

import { absoluteUrl, announce, byId } from "./dom.js";

const DEFAULTS = { blur: "gaussian", depth: "flat", subject: "auto", mode: "background", format: "png", quality: "90" };
const EXTENSIONS = { png: "png", jpeg: "jpg", webp: "webp", avif: "avif" };

const TEMPLATES = {
  curl: (url, fields, file) => {
    const part = file.replace(/[^.]+$/, "part");
    return [
      `curl -sS --fail-with-body -L ${url} \\`,
      `  -H "ApiKey: $KEY" -F image=@photo.jpg ${fields.map(([name, value]) => `-F ${/[ %]/.test(value) ? `"${name}=${value}"` : `${name}=${value}`}`).join(" ")} -o ${part} \\`,
      `  && mv -f ${part} ${file} || { cat ${part}; rm -f ${part}; false; } 2>/dev/null`,
    ];
  },
  python: (url, fields, file) => [
    "import os",
    "import requests",
    "",
    `with open("photo.jpg", "rb") as photo:`,
    "    response = requests.post(",
    `        "${url}",`,
    `        headers={"ApiKey": os.environ["KEY"]},`,
    `        files={"image": photo},`,
    `        data={${fields.map(([name, value]) => `"${name}": "${value}"`).join(", ")}},`,
    "    )",
    "if not response.ok:",
    "    raise SystemExit(response.text)",
    `with open("${file}", "wb") as result:`,
    "    result.write(response.content)",
  ],
  javascript: (url, fields) => [
    "const form = new FormData();",
    `form.append("image", photo); // a File of an <input type="file">`,
    ...fields.map(([name, value]) => `form.append("${name}", "${value}");`),
    `const response = await fetch("${url}", {`,
    `  method: "POST",`,
    "  headers: { ApiKey: key },",
    "  body: form,",
    "});",
    "if (!response.ok) throw new Error((await response.json()).error.message);",
    "image.src = URL.createObjectURL(await response.blob());",
  ],
  php: (url, fields, file) => [
    "<?php",
    `$call = curl_init("${url}");`,
    "curl_setopt_array($call, [",
    "    CURLOPT_RETURNTRANSFER => true,",
    "    CURLOPT_FOLLOWLOCATION => true,",
    `    CURLOPT_HTTPHEADER => ["ApiKey: " . getenv("KEY")],`,
    "    CURLOPT_POSTFIELDS => [",
    `        "image" => new CURLFile("photo.jpg"),`,
    ...fields.map(([name, value]) => `        "${name}" => "${value}",`),
    "    ],",
    "]);",
    "$result = curl_exec($call);",
    "if (curl_getinfo($call, CURLINFO_RESPONSE_CODE) !== 200) {",
    "    fwrite(STDERR, $result ?: curl_error($call));",
    "    exit(1);",
    "}",
    `file_put_contents("${file}", $result);`,
  ],
};

let options = {};
let language = "curl";

export function openCode() {
  const tabs = Array.from(byId("tabs").querySelectorAll("[role=tab]"));
  const choose = (tab) => {
    language = tab.dataset.language;
    for (const each of tabs) {
      each.setAttribute("aria-selected", each === tab);
      each.tabIndex = each === tab ? 0 : -1;
    }
    byId("sample").setAttribute("aria-labelledby", tab.id);
    write();
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(index + step + tabs.length) % tabs.length];
      next.focus();
      choose(next);
    });
  });
  byId("copy").addEventListener("click", copy);
  choose(tabs[0]);
}

export function showCode(current) {
  options = current;
  write();
}

/** Show the code with the parameters that differ from their defaults. The radius has no default. */
function write() {
  const fields = Object.entries(options).filter(([name, value]) => DEFAULTS[name] !== value);
  const file = `${options.mode === "cutout" ? "cutout" : "blurred"}.${EXTENSIONS[options.format] ?? "png"}`;
  byId("sample-text").textContent = TEMPLATES[language](absoluteUrl("v2/rembg/blur/"), fields, file).join("\n");
}

/** Copy the code. If the page cannot use the clipboard (plain HTTP), select the code for Ctrl+C. */
async function copy() {
  const text = byId("sample-text");
  let label = "Copied";
  try {
    await navigator.clipboard.writeText(text.textContent);
  } catch {
    getSelection().selectAllChildren(text);
    label = "Selected";
  }
  byId("copy").textContent = label;
  announce(label);
  setTimeout(() => (byId("copy").textContent = "Copy"), 2000);
}
