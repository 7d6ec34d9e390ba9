// Photos of chosen or dropped folders, each with its path in the folder.

const EXTENSIONS = /\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|heic|heif|avif)$/i;
// The names of results, as in `result.js`; a browser or a ZIP can add a number. In a folder, files with these names are
// not processed and charged again.
const RESULT = /-(blurred|cutout)( \(\d+\))?\.[^.]*$/;

/** Return `{name, photos}` for dropped items with a folder, or null if there is no folder. */
export async function droppedFolder(items) {
  // Read the entries before the first await: the browser empties `items` when the event handler
  // returns.
  const entries = Array.from(items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const folders = entries.filter(({ isDirectory }) => isDirectory);
  if (!folders.length) return null;
  const files = [];
  for (const entry of entries) await readEntry(entry, files);
  return asFolder(files, folders.length === 1 && entries.length === 1);
}

/** Return `{name, photos}` for the files of `<input webkitdirectory>`. */
export function chosenFolder(files) {
  return asFolder(Array.from(files, (file) => [file.webkitRelativePath || file.name, file]), true);
}

/** Return `{name, photos}` for files without a folder; a second "a.jpg" becomes "a (2).jpg". */
export function looseFiles(files) {
  const taken = new Set();
  const named = files.map((file) => [freeName(file.name, taken), file]);
  return { name: "", photos: sorted(named) };
}

async function readEntry(entry, files) {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    if (file) files.push([entry.fullPath.slice(1), file]);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // The browser returns at most 100 entries at a time.
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return;
    for (const each of some) await readEntry(each, files);
  }
}

function asFolder(files, isOne) {
  const photos = files.filter(([path]) => isPhoto(path));
  const name = isOne && files.length ? files[0][0].split("/")[0] : "";
  const start = name && files[0][0].includes("/") ? name.length + 1 : 0;
  return { name, photos: sorted(photos.map(([path, file]) => [path.slice(start), file])) };
}

const isPhoto = (path) => EXTENSIONS.test(path) && !RESULT.test(path)
  && !path.split("/").some((part) => part.startsWith("."));

const sorted = (named) => named
  .map(([source, file]) => ({ source, file }))
  .sort((one, other) => (one.source < other.source ? -1 : 1));

/** Return the name, or the name with a number if the name is taken. */
export function freeName(fileName, taken) {
  const [, stem, extension] = fileName.match(/^(.*?)(\.[^./]*)?$/s);
  let name = fileName;
  for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${stem} (${number})${extension ?? ""}`;
  taken.add(name.toLowerCase());
  return name;
}
