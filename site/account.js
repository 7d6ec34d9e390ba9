// The API key: it is stored in this browser. It is sent only to the API, and to the
// API's bucket if the API redirects to a result there. The page shows only its prefix.

import { account, exchangeCode } from "./calls.js";
import { byId, show } from "./dom.js";

const STORAGE_KEY = "background-blur-key";
let kind = null; // the kind of the key in use: live or test

export const currentKey = () => localStorage.getItem(STORAGE_KEY);
export const keyKind = () => kind;

/** Set up the key's fields. `onFailure(failure)` shows an error; `onFailure(null)` removes it. */
export function openAccount(onFailure) {
  const use = () => useKey(byId("key").value.trim(), onFailure);
  byId("key-use").addEventListener("click", use);
  byId("key").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // the Enter key would submit the form
    use();
  });
  byId("key").addEventListener("input", () => showKeyError());
  byId("key-forget").addEventListener("click", () => {
    forget();
    onFailure(null);
  });
  addEventListener("hashchange", () => useKeyInAddress(onFailure));
  if (!useKeyInAddress(onFailure) && currentKey()) useKey(currentKey(), onFailure);
}

/** Show an error next to the key's field; if `lines` is empty, remove the error. */
export function showKeyError(...lines) {
  const box = byId("key-error");
  box.replaceChildren(...lines);
  show(box, lines.length > 0);
  byId("key").setAttribute("aria-invalid", lines.length > 0);
  if (!lines.length) return;
  byId("key").focus();
  byId("key-set").scrollIntoView({ block: "nearest" });
}

let knownCredits = null;

/** The balance that the last response stated, or null before the first response. */
export const creditsLeft = () => knownCredits;

export function showCredits(left) {
  if (left === null) return;
  knownCredits = left;
  byId("credits").textContent = `${left.toLocaleString("en")} ${left === 1 ? "credit" : "credits"}`;
  show(byId("credits"));
}

/** Ask the API for the balance, because a response from a bucket does not contain the balance. */
export async function refreshCredits() {
  const { balance } = await account(currentKey());
  showCredits(balance);
  return balance;
}

async function useKey(key, onFailure) {
  if (!key) return onFailure({ code: "no_key" });
  try {
    const { balance, key: known } = await account(key);
    localStorage.setItem(STORAGE_KEY, key);
    showKnown(known.prefix, known.kind);
    showCredits(balance);
    onFailure(null);
  } catch (failure) {
    if (failure.code === "invalid_api_key") forget();
    onFailure(failure);
  }
}

function showKnown(prefix, newKind) {
  kind = newKind;
  byId("key").value = "";
  byId("key-prefix").textContent = `${prefix}…`;
  const isTyping = byId("key-empty").contains(document.activeElement);
  show(byId("key-empty"), false);
  show(byId("key-known"));
  if (isTyping) byId("go").focus();
}

/** Remove the stored key and show the field for another key. */
export function forget() {
  localStorage.removeItem(STORAGE_KEY);
  kind = null;
  knownCredits = null;
  const pressed = document.activeElement === byId("key-forget");
  show(byId("key-known"), false);
  show(byId("key-empty"));
  show(byId("credits"), false);
  if (pressed) byId("key").focus();
}

/**
 * Use a key or a one-time code after the # in the address, which browsers never send to a server. Remove
 * the key or code from the address and the history. Return whether there was a key or code.
 */
function useKeyInAddress(onFailure) {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!fragment.has("key") && !fragment.has("code")) return false;
  history.replaceState(null, "", location.pathname + location.search);
  useLinked(fragment.get("key"), fragment.get("code"), onFailure).catch(onFailure);
  return true;
}

/** Use the key from a link; if another valid key is stored, ask which one to use. */
async function useLinked(key, code, onFailure) {
  if (currentKey()) await useKey(currentKey(), onFailure); // removes a stored key that is not valid
  const linked = key ?? (await exchangeCode(code));
  if (!currentKey()) await useKey(linked, onFailure);
  else if (linked !== currentKey()) ask((await account(linked)).key.prefix, () => useKey(linked, onFailure));
}

/** Ask which key to use: the stored key or the link's key. */
function ask(prefix, onUse) {
  byId("key-other").textContent = `${prefix}…`;
  show(byId("key-ask"));
  byId("key-ask").scrollIntoView({ block: "nearest" });
  byId("key-switch").focus();
  const choose = (isUsed) => {
    show(byId("key-ask"), false);
    if (isUsed) onUse();
  };
  byId("key-switch").onclick = () => choose(true);
  byId("key-keep").onclick = () => choose(false);
}
