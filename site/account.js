// The key: kept in this browser's storage, sent only to the API, and shown by its prefix.

import { account, keyOf } from "./calls.js";
import { byId, show } from "./dom.js";

const SLOT = "background-blur-key";
let kind = null; // of the key in use: live or test

export const currentKey = () => localStorage.getItem(SLOT);
export const keyKind = () => kind;

/** Set up the key's part of the page. `onFailure(failure)` shows an error, or removes it (null). */
export function openAccount(onFailure) {
  const use = () => useKey(byId("key").value.trim(), onFailure);
  byId("key-use").addEventListener("click", use);
  byId("key").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // it would submit the form
    use();
  });
  byId("key").addEventListener("input", () => showKeyError());
  byId("key-forget").addEventListener("click", () => {
    forget();
    onFailure(null);
  });
  addEventListener("hashchange", () => takeFromAddress(onFailure));
  if (!takeFromAddress(onFailure) && currentKey()) useKey(currentKey(), onFailure);
}

/** Show an error next to the key's field, or remove it (no lines). */
export function showKeyError(...lines) {
  const box = byId("key-error");
  box.replaceChildren(...lines);
  show(box, lines.length > 0);
  byId("key").setAttribute("aria-invalid", lines.length > 0);
  if (!lines.length) return;
  byId("key").focus();
  byId("key-set").scrollIntoView({ block: "nearest" });
}

export function showCredits(left) {
  if (left === null) return;
  byId("credits").textContent = `${left.toLocaleString("en")} ${left === 1 ? "credit" : "credits"}`;
  show(byId("credits"));
}

/** Ask the API for the balance, because a response from a bucket does not have it. */
export async function refreshCredits() {
  const { balance } = await account(currentKey());
  showCredits(balance);
  return balance;
}

async function useKey(key, onFailure) {
  if (!key) return onFailure({ code: "no_key" });
  try {
    const { balance, key: known } = await account(key);
    localStorage.setItem(SLOT, key);
    showKnown(known.prefix, known.kind);
    showCredits(balance);
    onFailure(null);
  } catch (failure) {
    if (failure.code === "invalid_api_key") forget();
    onFailure(failure);
  }
}

function showKnown(prefix, keyKind) {
  kind = keyKind;
  byId("key").value = "";
  byId("key-prefix").textContent = `${prefix}…`;
  const isTyping = byId("key-empty").contains(document.activeElement);
  show(byId("key-empty"), false);
  show(byId("key-known"));
  if (isTyping) byId("go").focus();
}

/** Remove the stored key and ask for another one. */
export function forget() {
  localStorage.removeItem(SLOT);
  kind = null;
  const pressed = document.activeElement === byId("key-forget");
  show(byId("key-known"), false);
  show(byId("key-empty"));
  show(byId("credits"), false);
  if (pressed) byId("key").focus();
}

/**
 * Take a key or a one-time code from the address after #, which is never sent to a server, and
 * remove it from the address and the history. Return whether there was one.
 */
function takeFromAddress(onFailure) {
  const linked = new URLSearchParams(location.hash.slice(1));
  if (!linked.has("key") && !linked.has("code")) return false;
  history.replaceState(null, "", location.pathname + location.search);
  useLinked(linked.get("key"), linked.get("code"), onFailure).catch(onFailure);
  return true;
}

/** Use a link's key, unless another valid key is stored: then ask. */
async function useLinked(key, code, onFailure) {
  if (currentKey()) await useKey(currentKey(), onFailure); // forgets one that is not valid
  const linked = key ?? (await keyOf(code));
  if (!currentKey()) await useKey(linked, onFailure);
  else if (linked !== currentKey()) ask((await account(linked)).key.prefix, () => useKey(linked, onFailure));
}

/** Ask which of two keys to use: the one that is stored, or a link's. */
function ask(prefix, onUse) {
  byId("key-other").textContent = `${prefix}…`;
  show(byId("key-ask"));
  byId("key-ask").scrollIntoView({ block: "nearest" });
  byId("key-switch").focus();
  const answered = (isUsed) => {
    show(byId("key-ask"), false);
    if (isUsed) onUse();
  };
  byId("key-switch").onclick = () => answered(true);
  byId("key-keep").onclick = () => answered(false);
}
