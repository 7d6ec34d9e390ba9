// Functions for the page's elements and texts. Text is never parsed as HTML.

export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function show(element, visible = true) {
  element.hidden = !visible;
}

export function announce(text) {
  byId("spoken").textContent = text;
}

export function formatBytes(count) {
  if (count < 1000) return `${count} bytes`;
  const [amount, unit] = count < 1e6 ? [count / 1e3, "kB"] : count < 1e9 ? [count / 1e6, "MB"] : [count / 1e9, "GB"];
  return `${amount.toFixed(amount < 10 ? 1 : 0)} ${unit}`;
}

export function formatTime(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** Return a remaining time as text: in seconds, in minutes, or in hours and minutes. */
export function formatDuration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const absoluteUrl = (path) => new URL(path, document.baseURI).href;
