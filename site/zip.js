// A ZIP of uncompressed ("stored") files, because images are already compressed. APPNOTE.TXT 6.3.10, 4.3.

import { freeName } from "./folder.js";

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
const UTF8_NAMES = 0x0800;
const VERSION = 20; // 2.0: the version that a program needs to unpack the ZIP

/** A ZIP that grows by one file at a time. If a name is already used, the file's name gets a number. */
export class Zip {
  #parts = [];
  #directory = [];
  #taken = new Set();
  count = 0;
  size = 0; // in bytes, without the ZIP's central directory

  async add(fileName, blob) {
    const name = new TextEncoder().encode(freeName(fileName, this.#taken));
    const checksum = crc32(new Uint8Array(await blob.arrayBuffer()));
    const fields = [
      ...[VERSION, UTF8_NAMES, 0].map(short), ...dosTime(new Date()).map(short),
      ...[checksum, blob.size, blob.size].map(long), short(name.length), short(0),
    ].flat();
    const header = Uint8Array.from([...long(0x04034b50), ...fields]);
    this.#directory.push(Uint8Array.from([
      ...long(0x02014b50), ...short(VERSION), ...fields,
      ...short(0), ...short(0), ...short(0), ...long(0), ...long(this.size),
    ]), name);
    this.#parts.push(header, name, blob);
    this.size += header.length + name.length + blob.size;
    this.count += 1;
  }

  toBlob() {
    const size = this.#directory.reduce((sum, part) => sum + part.length, 0);
    const end = Uint8Array.from([
      ...long(0x06054b50), ...short(0), ...short(0), ...short(this.count), ...short(this.count),
      ...long(size), ...long(this.size), ...short(0),
    ]);
    return new Blob([...this.#parts, ...this.#directory, end], { type: "application/zip" });
  }
}

/** Return a ZIP of `[name, blob]` pairs as a blob. */
export async function zipOf(files) {
  const zip = new Zip();
  for (const [name, blob] of files) await zip.add(name, blob);
  return zip.toBlob();
}

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function dosTime(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const day = ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  return [time, day];
}

const short = (value) => [value & 0xff, (value >>> 8) & 0xff];
const long = (value) => [...short(value), ...short(value >>> 16)];
