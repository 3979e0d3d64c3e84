import { crc32 } from 'node:zlib';
import { inflateSync } from 'fflate';
import { ClmexError } from '../../core/errors.js';

const MOST_ENTRIES = 64;
/** Of all entries together, unpacked; the published face_landmarker.task holds 3.8 MB. */
const MOST_BYTES = 64 << 20;

const END = {
  signature: 0x06054b50, size: 22, entriesHere: 8, entries: 10, directorySize: 12, directory: 16,
  comment: 20,
} as const; // prettier-ignore
const ENTRY = {
  signature: 0x02014b50, size: 46, flags: 8, method: 10, crc: 16, packed: 20, unpacked: 24,
  nameLength: 28, extraLength: 30, commentLength: 32, local: 42,
} as const; // prettier-ignore
const LOCAL = { signature: 0x04034b50, size: 30, nameLength: 26, extraLength: 28 } as const;
const METHOD = { stored: 0, deflated: 8 } as const;
const ENCRYPTED = 1;

/**
 * The files inside a `.task` bundle, a ZIP archive (APPNOTE.TXT 6.3), every checksum verified.
 * @throws ClmexError `model-invalid` for a corrupt archive, `limit-exceeded` for one that unpacks to
 *   more than 64 MiB.
 */
export function readTaskFile(bytes: Uint8Array, path: string): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return new Map(directoryOf(view).map((entry) => [entry.name, unpack(entry, view)]));
  } catch (cause) {
    if (cause instanceof ClmexError && cause.code === 'limit-exceeded') throw cause;
    const reason = cause instanceof ClmexError ? `: ${cause.message}` : '';
    throw new ClmexError('model-invalid', `truncated or corrupt .task file${reason}`, {
      field: 'landmarks',
      value: path,
      allowed: 'a ZIP archive of MediaPipe models',
      cause,
    });
  }
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly unpacked: number;
  readonly local: number;
}

function directoryOf(view: DataView): Entry[] {
  const end = findEnd(view);
  const count = view.getUint16(end + END.entries, true);
  if (count !== view.getUint16(end + END.entriesHere, true)) throw corrupt('directory');
  if (count > MOST_ENTRIES) throw tooLarge('entries', count, MOST_ENTRIES);
  const entries: Entry[] = [];
  const directory = view.getUint32(end + END.directory, true);
  let [at, total] = [directory, 0];
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== ENTRY.signature) throw corrupt('directory');
    if (view.getUint16(at + ENTRY.flags, true) & ENCRYPTED) throw corrupt('encrypted entry');
    const nameLength = view.getUint16(at + ENTRY.nameLength, true);
    const name = new TextDecoder().decode(part(view, at + ENTRY.size, nameLength));
    const unpacked = view.getUint32(at + ENTRY.unpacked, true);
    total += unpacked;
    if (total > MOST_BYTES) throw tooLarge('bytes unpacked', total, MOST_BYTES);
    entries.push({
      name,
      unpacked,
      method: view.getUint16(at + ENTRY.method, true),
      crc: view.getUint32(at + ENTRY.crc, true),
      packed: view.getUint32(at + ENTRY.packed, true),
      local: view.getUint32(at + ENTRY.local, true),
    });
    at += ENTRY.size + nameLength + view.getUint16(at + ENTRY.extraLength, true) + view.getUint16(at + ENTRY.commentLength, true); // prettier-ignore
  }
  const whole = at === directory + view.getUint32(end + END.directorySize, true) && at === end;
  if (!whole) throw corrupt('directory');
  return entries;
}

/**
 * The end record lies in the last 64 KiB, before an optional comment that ends the file: models carry
 * archives of their own inside.
 */
function findEnd(view: DataView): number {
  const last = view.byteLength - END.size;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) !== END.signature) continue;
    if (at + END.size + view.getUint16(at + END.comment, true) === view.byteLength) return at;
  }
  throw corrupt('no end record');
}

function unpack(entry: Entry, view: DataView): Uint8Array {
  const { local, packed, unpacked, method, name } = entry;
  if (view.getUint32(local, true) !== LOCAL.signature) throw corrupt(`entry '${name}'`);
  const skip = view.getUint16(local + LOCAL.nameLength, true) + view.getUint16(local + LOCAL.extraLength, true); // prettier-ignore
  const data = part(view, local + LOCAL.size + skip, packed);
  if (method !== METHOD.stored && method !== METHOD.deflated)
    throw corrupt(`'${name}' is packed by method ${method}`);
  // With a given buffer inflateSync never grows past it, whatever the data claim.
  const content = method === METHOD.stored ? data : inflateSync(data, { out: new Uint8Array(unpacked) }); // prettier-ignore
  if (content.length !== unpacked || crc32(content) !== entry.crc)
    throw corrupt(`checksum of '${name}'`);
  // Aligned to the start of a buffer of its own, as typed views need it.
  return content.slice();
}

function part(view: DataView, from: number, length: number): Uint8Array {
  if (from + length > view.byteLength) throw corrupt('ends early');
  return new Uint8Array(view.buffer, view.byteOffset + from, length);
}

const corrupt = (what: string): ClmexError => new ClmexError('model-invalid', what);

function tooLarge(what: string, value: number, most: number): ClmexError {
  return new ClmexError('limit-exceeded', `too many ${what} in the .task file`, {
    field: 'landmarks',
    value,
    allowed: `up to ${most}`,
  });
}
