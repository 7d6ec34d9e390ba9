// The page's job in this browser's storage: which job it is, and how much of its folder is uploaded.
// The job is stored in IndexedDB, because its transactions are kept even if the browser is killed.
// Chromium writes localStorage to the disk up to a minute later, so a job whose photos were
// charged could be lost.

const [DATABASE, STORE, KEY] = ["background-blur", "jobs", "current"];
let opening = null;

/** Return the stored job, or null. */
export const loadJob = () => inStore("readonly", (store) => store.get(KEY)).then((saved) => saved ?? null);

/** Store a job. With the durability "strict", the job is on the disk when the promise resolves. */
export const storeJob = (saved, durability) => inStore("readwrite", (store) => store.put(saved, KEY), durability);

export const removeJob = () => inStore("readwrite", (store) => store.delete(KEY));

/** Return the result of a request, or null if this browser stores nothing (in a private window). */
async function inStore(mode, makeRequest, durability = "relaxed") {
  try {
    opening ??= openDatabase();
    const transaction = (await opening).transaction(STORE, mode, { durability });
    const request = makeRequest(transaction.objectStore(STORE));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return request.result;
  } catch {
    return null;
  }
}

function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
