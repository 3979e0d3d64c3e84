import { open, type FileHandle } from 'node:fs/promises';
import { McapIndexedReader, McapStreamReader, type McapTypes } from '@mcap/core';
import { parseRig, type RigCalibration } from '../../calibration/index.js';
import { ClmexError } from '../../core/errors.js';
import { CompressedImage } from './foxglove.js';
import {
  CAMERA_KEY, frameTimes, IMAGE_SCHEMA, NOTES_RECORD, RIG_RECORD, TIMES_SCHEMA, TRUTH_TOPIC,
  type RecordedFrame,
} from './layout.js'; // prettier-ignore

export type RecordingEntry =
  | { readonly kind: 'rig'; readonly rig: RigCalibration }
  | { readonly kind: 'notes'; readonly notes: Readonly<Record<string, string>> }
  | { readonly kind: 'frame'; readonly frame: RecordedFrame }
  | { readonly kind: 'truth'; readonly atMs: number; readonly value: unknown }
  /** Last entry of a file that ends inside a chunk or was never finished. */
  | { readonly kind: 'truncated'; readonly atByte: number };

export interface ReadOptions {
  /** Only this camera's frames; a finished file's chunks with nothing but others' are not read. */
  readonly cameraId?: string | undefined;
}

const PIECE_BYTES = 256 * 1024;
/** A record larger than this is not one of ours: reading on would only fill the memory. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/**
 * Streams a recording in file order (per camera: order of arrival). Holds one chunk in memory.
 * A file that was cut off yields everything up to its last whole chunk and then `truncated`.
 * @throws ClmexError `not-found`, `invalid-file`
 */
export async function* readRecording(
  path: string,
  options: ReadOptions = {},
): AsyncGenerator<RecordingEntry, void, void> {
  const file = await openFile(path);
  const decoder = new Decoder(path, options);
  const reader = new McapStreamReader();
  const piece = new Uint8Array(PIECE_BYTES);
  let atByte = 0;
  try {
    const index = options.cameraId === undefined ? undefined : await indexOf(file);
    decoder.learn(index);
    const skipped = decoder.chunksToSkip(index);
    for (;;) {
      while (skipped[0] !== undefined && skipped[0].from <= atByte) atByte = Math.max(atByte, skipped.shift()!.to); // prettier-ignore
      const wanted = Math.min(PIECE_BYTES, (skipped[0]?.from ?? Infinity) - atByte);
      const { bytesRead } = await file.read(piece, 0, wanted, atByte);
      if (bytesRead === 0) break;
      atByte += bytesRead;
      reader.append(piece.subarray(0, bytesRead));
      for (;;) {
        const record = next(reader, path, atByte);
        if (record === undefined) break;
        const entry = decoder.push(record);
        if (entry !== undefined) yield entry;
      }
      if (reader.bytesRemaining() > MAX_RECORD_BYTES) {
        throw new ClmexError('invalid-file', 'a record of the recording is too large', {
          field: 'recording',
          value: path,
        });
      }
    }
    if (atByte === 0) throw broken(path, 0, new Error('the file is empty'));
    if (!reader.done()) yield { kind: 'truncated', atByte };
  } finally {
    await file.close();
  }
}

interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** Undefined of a file without one, which was cut off or is none of ours: reading it tells. */
async function indexOf(file: FileHandle): Promise<McapIndexedReader | undefined> {
  const readable = {
    size: async () => BigInt((await file.stat()).size),
    read: async (offset: bigint, length: bigint) => {
      if (length > MAX_RECORD_BYTES) throw new RangeError('the index is too large');
      const bytes = new Uint8Array(Number(length));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, Number(offset));
      return bytes.subarray(0, bytesRead);
    },
  };
  return McapIndexedReader.Initialize({ readable }).catch(() => undefined);
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    throw new ClmexError('not-found', 'cannot open the recording', {
      field: 'recording',
      value: path,
      cause,
    });
  }
  throw new ClmexError('not-found', 'the recording is not a file', {
    field: 'recording',
    value: path,
  });
}

function next(reader: McapStreamReader, path: string, atByte: number) {
  try {
    return reader.nextRecord();
  } catch (cause) {
    throw broken(path, atByte, cause);
  }
}

function broken(path: string, atByte: number, cause: unknown): ClmexError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ClmexError('invalid-file', `the recording is damaged before byte ${atByte}: ${why}`, {
    field: 'recording',
    value: path,
    cause,
  });
}

/** Turns MCAP records into entries; a picture is joined with the times written just before it. */
class Decoder {
  readonly #path: string;
  readonly #options: ReadOptions;
  readonly #schemas = new Map<number, string>();
  readonly #channels = new Map<number, McapTypes.Channel & { schema: string }>();
  readonly #times = new Map<string, McapTypes.Message>();

  constructor(path: string, options: ReadOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** What the records of skipped chunks would tell. */
  learn(index: McapIndexedReader | undefined): void {
    for (const schema of index?.schemasById.values() ?? []) this.push(schema);
    for (const channel of index?.channelsById.values() ?? []) this.push(channel);
  }

  /**
   * The chunks that hold nothing but other cameras' messages, in the file's order; not those up to
   * where the last channel that is read begins, since a channel is described in any chunk before that.
   */
  chunksToSkip(index: McapIndexedReader | undefined): ByteRange[] {
    const chunks = (index?.chunkIndexes ?? [])
      .map(({ chunkStartOffset, chunkLength, messageIndexOffsets }) => ({
        from: Number(chunkStartOffset),
        to: Number(chunkStartOffset + chunkLength),
        channels: [...messageIndexOffsets.keys()],
      }))
      .sort((a, b) => a.from - b.from);
    const ofAnother = (id: number): boolean => {
      const cameraId = this.#channels.get(id)?.metadata.get(CAMERA_KEY);
      return cameraId !== undefined && cameraId !== this.#options.cameraId;
    };
    const read = chunks.filter(({ channels }) => !channels.every(ofAnother));
    const toBegin = new Set(read.flatMap(({ channels }) => channels));
    let begunAt = 0;
    for (const { from, channels } of chunks)
      if (channels.filter((id) => toBegin.delete(id)).length > 0) begunAt = from;
    return chunks.filter(({ from, channels }) => from > begunAt && channels.every(ofAnother));
  }

  push(record: McapTypes.TypedMcapRecord): RecordingEntry | undefined {
    switch (record.type) {
      case 'Schema':
        this.#schemas.set(record.id, record.name);
        return undefined;
      case 'Channel': {
        const schema = this.#schemas.get(record.schemaId) ?? '';
        this.#channels.set(record.id, { ...record, schema });
        return undefined;
      }
      case 'Metadata':
        return this.#metadata(record.name, record.metadata);
      case 'Message':
        return this.#message(record);
      default:
        return undefined;
    }
  }

  #metadata(name: string, metadata: Map<string, string>): RecordingEntry | undefined {
    if (name === NOTES_RECORD) return { kind: 'notes', notes: Object.fromEntries(metadata) };
    if (name !== RIG_RECORD) return undefined;
    return { kind: 'rig', rig: parseRig(this.#json(metadata.get('json') ?? ''), 'rig') };
  }

  #message(message: McapTypes.Message): RecordingEntry | undefined {
    const channel = this.#channels.get(message.channelId);
    if (channel === undefined) return undefined;
    if (channel.topic === TRUTH_TOPIC) {
      const value = this.#json(Buffer.from(message.data).toString());
      return { kind: 'truth', atMs: Number(message.logTime) / 1e6, value };
    }
    const cameraId = channel.metadata.get(CAMERA_KEY);
    if (cameraId === undefined) return undefined;
    if ((this.#options.cameraId ?? cameraId) !== cameraId) return undefined;
    if (channel.schema === TIMES_SCHEMA) this.#times.set(cameraId, message);
    return channel.schema === IMAGE_SCHEMA ? this.#frame(cameraId, message) : undefined;
  }

  #frame(cameraId: string, message: McapTypes.Message): RecordingEntry {
    const times = this.#times.get(cameraId);
    const text = times === undefined ? 'null' : Buffer.from(times.data).toString();
    const parsed = frameTimes.safeParse(this.#json(text));
    if (!parsed.success) {
      throw this.#wrong(`a frame of camera '${cameraId}' has no valid times`, parsed.error);
    }
    let picture: { data: Uint8Array; format: string };
    try {
      picture = CompressedImage.decode(message.data) as unknown as typeof picture;
    } catch (cause) {
      throw this.#wrong(`a frame of camera '${cameraId}' is not an image message`, cause);
    }
    return { kind: 'frame', frame: { cameraId, ...parsed.data, jpeg: picture.data } };
  }

  #json(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw this.#wrong('the recording holds text that is not JSON', cause);
    }
  }

  #wrong(message: string, cause: unknown): ClmexError {
    return new ClmexError('invalid-file', message, {
      field: 'recording',
      value: this.#path,
      cause,
    });
  }
}
