// The key: kept in this browser's storage, sent to the API alone, and shown by its first part.

import { account } from "./calls.js";
import { byId, show } from "./dom.js";

const SLOT = "background-blur-key";
const KINDS = {
  live: "Each photo costs a credit.",
  test: "A test key: free, and results carry a visible TEST.",
};

export const currentKey = () => localStorage.getItem(SLOT);

/** Set up the key's part of the page. `onFailure` is told what is wrong with a key. */
export function openAccount(onFailure) {
  const use = () => useKey(byId("key").value.trim(), onFailure);
  byId("key-use").addEventListener("click", use);
  byId("key").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // which would ask for a picture
    use();
  });
  byId("key-forget").addEventListener("click", forget);
  takeFromAddress();
  if (currentKey()) useKey(currentKey(), onFailure);
}

export function showCredits(left) {
  if (left === null) return;
  byId("credits").textContent = `${left.toLocaleString("en")} ${left === 1 ? "credit" : "credits"}`;
  show(byId("credits"));
}

/** Ask the account, for an answer that came by way of a bucket cannot tell. */
export async function refreshCredits() {
  const { balance } = await account(currentKey());
  showCredits(balance);
  return balance;
}

async function useKey(key, onFailure) {
  if (!key) return;
  try {
    const { balance, key: told } = await account(key);
    localStorage.setItem(SLOT, key);
    showKnown(told.prefix, told.kind);
    showCredits(balance);
    onFailure(null);
  } catch (failure) {
    if (failure.code === "invalid_api_key") forget();
    onFailure(failure);
  }
}

function showKnown(prefix, kind) {
  byId("key").value = "";
  byId("key-prefix").textContent = `${prefix}…`;
  byId("key-kind").textContent = KINDS[kind] ?? "";
  const typing = byId("key-empty").contains(document.activeElement);
  show(byId("key-empty"), false);
  show(byId("key-known"));
  if (typing) byId("choose").focus();
}

function forget() {
  localStorage.removeItem(SLOT);
  const pressed = document.activeElement === byId("key-forget");
  show(byId("key-known"), false);
  show(byId("key-empty"));
  show(byId("credits"), false);
  if (pressed) byId("key").focus();
}

/** Take a key behind the address's #, which no server is ever sent. It replaces no other one. */
function takeFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  history.replaceState(null, "", location.pathname);
  if (currentKey()) byId("key").value = key;
  else localStorage.setItem(SLOT, key);
}
