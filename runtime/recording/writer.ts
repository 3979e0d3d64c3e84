import { lstat, open, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { McapWriter, type IWritable } from '@mcap/core';
import { z } from 'zod';
import type { CameraCalibration, RigCalibration } from '../../calibration/index.js';
import { ClmexError } from '../../core/errors.js';
import {
  CameraCalibrationMessage, CompressedImage, descriptorSet, FrameTransform, timestamp,
} from './foxglove.js'; // prettier-ignore
import {
  calibrationTopic, CAMERA_KEY, frameTimes, IMAGE_SCHEMA, imageTopic, nanoseconds, NOTES_RECORD,
  RIG_RECORD, TIMES_SCHEMA, timesTopic, TRUTH_TOPIC, type RecordedFrame,
} from './layout.js'; // prettier-ignore
import { cameraTransform } from './transform.js';

/** The disk is full, the user's share of it, or the largest file that may be written. */
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export interface RecordingOptions {
  /** Where the cameras stand; its camera ids are those of the frames. */
  readonly rig?: RigCalibration | undefined;
  /** Free text by name, e.g. `attribution`, `licence`; kept in the file. */
  readonly notes?: Readonly<Record<string, string>> | undefined;
  /** JSON Schema of the values given to `writeTruth`. */
  readonly truthSchema?: object | undefined;
  /** Whether a file that is there already may be replaced. */
  readonly replace?: boolean | undefined;
  /** A chunk is written when it holds this much; a crash loses at most one. */
  readonly chunkBytes?: number | undefined;
  /** Recording stops with `limit-exceeded` rather than leave less than this on the disk. */
  readonly minFreeBytes?: number | undefined;
}

/** A frame or two: a slow rig of small pictures loses no more than that either. */
const DEFAULT_CHUNK_BYTES = 32 * 1024;
const DEFAULT_MIN_FREE_BYTES = 256 * 1024 * 1024;
/** Bytes between two looks at the free space. */
const SPACE_CHECK_BYTES = 16 * 1024 * 1024;

interface Channels {
  readonly image: number;
  readonly times: number;
}

/** Writes a recording. Calls are carried out in order; await each to hold the memory bounded. */
export class RecordingWriter {
  readonly #file: GuardedFile;
  readonly #mcap: McapWriter;
  readonly #options: RecordingOptions;
  readonly #channels = new Map<string, Channels>();
  readonly #schemas = new Map<string, number>();
  #truthChannel: number | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #broken: Error | undefined;
  #closing: Promise<void> | undefined;
  #frames = 0;

  private constructor(file: GuardedFile, options: RecordingOptions) {
    this.#file = file;
    this.#options = options;
    this.#mcap = new McapWriter({
      writable: file,
      chunkSize: options.chunkBytes ?? DEFAULT_CHUNK_BYTES,
    });
  }

  /**
   * Starts a recording at `path`, in place of what was there only where `replace` says so.
   * @throws ClmexError `invalid-argument` where the path is taken or cannot be written, `limit-exceeded` where
   * the disk has less than `minFreeBytes` left.
   */
  static async create(path: string, options: RecordingOptions = {}): Promise<RecordingWriter> {
    const minFree = options.minFreeBytes ?? DEFAULT_MIN_FREE_BYTES;
    const file = await GuardedFile.open(path, minFree, options.replace ?? false);
    const writer = new RecordingWriter(file, options);
    try {
      await writer.#do(() => writer.#begin());
    } catch (error) {
      await writer.#file.discard();
      throw error;
    }
    return writer;
  }

  get frames(): number {
    return this.#frames;
  }

  get bytes(): number {
    return Number(this.#file.position());
  }

  /** @throws ClmexError `invalid-argument` on a time that is not finite, `limit-exceeded`, `closed` */
  writeFrame(frame: RecordedFrame): Promise<void> {
    return this.#do(() => this.#writeFrame(frame));
  }

  /** Ground truth of the instant `atMs` (recorder's clock): any JSON value. */
  writeTruth(atMs: number, value: unknown): Promise<void> {
    return this.#do(() => this.#writeTruth(atMs, value));
  }

  /** Finishes the file: index, statistics, footer. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  /** Ends without a recording: nobody wants an empty file. */
  discard(): Promise<void> {
    this.#closing ??= this.#tail.then(() => this.#file.discard());
    return this.#closing;
  }

  #do(step: () => Promise<void>): Promise<void> {
    if (this.#closing !== undefined) {
      return Promise.reject(new ClmexError('closed', 'the recording is closed'));
    }
    const done = this.#tail.then(async () => {
      if (this.#broken !== undefined) throw this.#broken;
      await step();
    });
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async #begin(): Promise<void> {
    const { notes, rig } = this.#options;
    await this.#guard(async () => {
      await this.#mcap.start({ profile: '', library: 'clmex' });
      if (notes !== undefined) await this.#metadata(NOTES_RECORD, notes);
      if (rig !== undefined) await this.#metadata(RIG_RECORD, { json: JSON.stringify(rig) });
    });
  }

  async #writeFrame(frame: RecordedFrame): Promise<void> {
    const times = frameTimes.safeParse(frame);
    if (!times.success) {
      const issue = times.error.issues[0]!;
      throw new ClmexError('invalid-argument', issue.message, {
        field: `frame.${issue.path.join('.')}`,
        value: issue.path.length > 0 ? frame[issue.path[0] as keyof RecordedFrame] : undefined,
      });
    }
    const logTime = nanoseconds(frame.arrivedAtMs);
    const publishTime = nanoseconds(Math.max(0, frame.capturedAtMs ?? frame.stampMs));
    const head = { sequence: frame.sequence >>> 0, logTime, publishTime };
    await this.#guard(async () => {
      const channels = this.#channels.get(frame.cameraId) ?? (await this.#addCamera(frame));
      const text = Buffer.from(JSON.stringify(times.data));
      await this.#mcap.addMessage({ channelId: channels.times, ...head, data: text });
      const picture = CompressedImage.encode({
        timestamp: timestamp(frame.capturedAtMs ?? frame.arrivedAtMs),
        frame_id: frame.cameraId,
        data: frame.jpeg,
        format: 'jpeg',
      }).finish();
      await this.#mcap.addMessage({ channelId: channels.image, ...head, data: picture });
    });
    this.#frames++;
  }

  async #writeTruth(atMs: number, value: unknown): Promise<void> {
    if (!(atMs >= 0) || !Number.isFinite(atMs)) {
      throw new ClmexError('invalid-argument', 'not a time', { field: 'atMs', value: atMs });
    }
    await this.#guard(async () => {
      this.#truthChannel ??= await this.#jsonChannel(
        TRUTH_TOPIC,
        'clmex.Truth',
        this.#options.truthSchema ?? { type: 'object' },
      );
      const logTime = nanoseconds(atMs);
      const data = Buffer.from(JSON.stringify(value));
      const channelId = this.#truthChannel;
      await this.#mcap.addMessage({ channelId, sequence: 0, logTime, publishTime: logTime, data });
    });
  }

  async #addCamera(frame: RecordedFrame): Promise<Channels> {
    const { cameraId } = frame;
    const image = await this.#protobufChannel(imageTopic(cameraId), IMAGE_SCHEMA, cameraId);
    const schema = z.toJSONSchema(frameTimes);
    const times = await this.#jsonChannel(timesTopic(cameraId), TIMES_SCHEMA, schema, cameraId);
    this.#channels.set(cameraId, { image, times });
    const camera = this.#options.rig?.cameras[cameraId];
    if (camera !== undefined) await this.#writeCalibration(frame, camera);
    return { image, times };
  }

  async #writeCalibration(frame: RecordedFrame, camera: CameraCalibration): Promise<void> {
    const logTime = nanoseconds(frame.arrivedAtMs);
    const head = { sequence: 0, logTime, publishTime: logTime };
    const { fx, fy, cx, cy } = camera.matrix;
    const topic = calibrationTopic(frame.cameraId);
    await this.#mcap.addMessage({
      channelId: await this.#protobufChannel(topic, 'foxglove.CameraCalibration', frame.cameraId),
      ...head,
      data: CameraCalibrationMessage.encode({
        timestamp: timestamp(frame.arrivedAtMs),
        frame_id: frame.cameraId,
        width: camera.width,
        height: camera.height,
        distortion_model: 'plumb_bob',
        D: [...camera.distortion],
        K: [fx, 0, cx, 0, fy, cy, 0, 0, 1],
        R: [1, 0, 0, 0, 1, 0, 0, 0, 1],
        P: [fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0],
      }).finish(),
    });
    const place = `/cameras/${frame.cameraId}/place`;
    await this.#mcap.addMessage({
      channelId: await this.#protobufChannel(place, 'foxglove.FrameTransform', frame.cameraId),
      ...head,
      data: FrameTransform.encode({
        timestamp: timestamp(frame.arrivedAtMs),
        parent_frame_id: 'world',
        child_frame_id: frame.cameraId,
        ...cameraTransform(camera),
      }).finish(),
    });
  }

  async #protobufChannel(topic: string, name: string, cameraId: string): Promise<number> {
    const schemaId = await this.#schema(name, 'protobuf', descriptorSet);
    const metadata = new Map([[CAMERA_KEY, cameraId]]);
    return this.#mcap.registerChannel({ topic, schemaId, messageEncoding: 'protobuf', metadata });
  }

  async #jsonChannel(topic: string, name: string, schema: object, cameraId?: string) {
    const schemaId = await this.#schema(name, 'jsonschema', () =>
      Buffer.from(JSON.stringify(schema)),
    );
    const metadata = new Map(cameraId === undefined ? [] : [[CAMERA_KEY, cameraId]]);
    return this.#mcap.registerChannel({ topic, schemaId, messageEncoding: 'json', metadata });
  }

  async #schema(name: string, encoding: string, data: () => Uint8Array): Promise<number> {
    const known = this.#schemas.get(name);
    if (known !== undefined) return known;
    const id = await this.#mcap.registerSchema({ name, encoding, data: data() });
    this.#schemas.set(name, id);
    return id;
  }

  async #metadata(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    await this.#mcap.addMetadata({ name, metadata: new Map(Object.entries(values)) });
  }

  /** After a failed write the file's end is unknown: nothing more is appended to it. */
  async #guard(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#broken = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }

  async #end(): Promise<void> {
    await this.#tail;
    try {
      if (this.#broken === undefined || this.#file.refused) {
        this.#file.admitAll();
        await this.#mcap.end();
      }
    } finally {
      await this.#file.close();
    }
  }
}

/** A file to append to, which refuses to fill the disk. */
class GuardedFile implements IWritable {
  readonly #handle: FileHandle;
  readonly #path: string;
  /** Where what was there before waits until this file is closed. */
  readonly #former: string | undefined;
  readonly #minFreeBytes: number;
  #position = 0;
  #checkedAt = -Infinity;
  #admitAll = false;
  /** The last write was refused for lack of space; nothing of it reached the file. */
  refused = false;

  private constructor(
    handle: FileHandle,
    path: string,
    former: string | undefined,
    minFreeBytes: number,
  ) {
    this.#handle = handle;
    this.#path = path;
    this.#former = former;
    this.#minFreeBytes = minFreeBytes;
  }

  static async open(path: string, minFreeBytes: number, replace: boolean): Promise<GuardedFile> {
    let handle: FileHandle;
    let former: string | undefined;
    try {
      if (replace) former = await setAside(path);
      // Devices and pipes are written to as they are.
      handle = await open(path, replace && former === undefined ? 'w' : 'wx');
    } catch (cause) {
      if (cause instanceof ClmexError) throw cause;
      if (former !== undefined) await rename(former, path);
      if (!replace && (cause as NodeJS.ErrnoException).code === 'EEXIST')
        throw new ClmexError('invalid-argument', 'the file is there already', {
          field: 'out',
          value: path,
          allowed: 'a new name, or to overwrite it explicitly (--overwrite)',
        });
      throw new ClmexError('invalid-argument', 'cannot write the recording', {
        field: 'out',
        value: path,
        allowed: 'a path in a folder that exists and can be written',
        cause,
      });
    }
    return new GuardedFile(handle, path, former, minFreeBytes);
  }

  position(): bigint {
    return BigInt(this.#position);
  }

  /** From here on only the index is written, which must not be refused. */
  admitAll(): void {
    this.#admitAll = true;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#admitAll) await this.#checkSpace(bytes.byteLength);
    try {
      let done = 0;
      while (done < bytes.byteLength) {
        done += (await this.#handle.write(bytes, done, bytes.byteLength - done)).bytesWritten;
      }
    } catch (cause) {
      const full = NO_ROOM.has((cause as NodeJS.ErrnoException).code ?? '');
      throw new ClmexError(
        full ? 'limit-exceeded' : 'source-failed',
        full ? 'the disk is full; the recording ends here' : 'cannot write the recording',
        { field: 'out', cause },
      );
    }
    this.#position += bytes.byteLength;
  }

  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#former !== undefined) await rm(this.#former, { force: true });
  }

  /** Takes the file away again; what was there before comes back. */
  async discard(): Promise<void> {
    await this.#handle.close();
    if (this.#former !== undefined) await rename(this.#former, this.#path);
    else if ((await lstat(this.#path)).isFile()) await rm(this.#path);
  }

  async #checkSpace(bytes: number): Promise<void> {
    if (this.#position + bytes < this.#checkedAt + SPACE_CHECK_BYTES) return;
    const { bavail, bsize } = await statfs(dirname(this.#path));
    const free = bavail * bsize;
    if (free < this.#minFreeBytes + SPACE_CHECK_BYTES) {
      this.refused = true;
      throw new ClmexError('limit-exceeded', 'too little free space; the recording ends here', {
        field: 'out',
        value: `${Math.floor(free / 1e6)} MB free`,
        allowed: `at least ${Math.ceil((this.#minFreeBytes + SPACE_CHECK_BYTES) / 1e6)} MB`,
      });
    }
    this.#checkedAt = this.#position;
  }
}

/** Moves a file out of the way; undefined where there is none, or it is no plain file. */
async function setAside(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isFile() !== true) return undefined;
  const aside = `${path}.former`;
  // A recorder that was killed left it there: it may be all that is left of a good recording.
  if ((await lstat(aside).catch(() => undefined)) !== undefined)
    throw new ClmexError('invalid-argument', 'an earlier recording waits beside it', {
      field: 'out',
      value: aside,
      allowed: 'to move that file away first, or another name',
    });
  await rename(path, aside);
  return aside;
}
