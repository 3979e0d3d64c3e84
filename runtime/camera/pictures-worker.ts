import { parentPort } from 'node:worker_threads';
import sharp from 'sharp';
import { ClmexError } from '../../core/errors.js';
import type { PicturesReply, PicturesRequest } from './pictures-thread.js';
import { LocalPictures } from './recorded-pictures.js';
import { turboJpeg } from './turbo-jpeg.js';

const port = parentPort;
if (port === null) throw new Error('runs as a worker thread only');

// Pictures of all cameras are decoded side by side: threads within one only hand over to each other.
sharp.concurrency(1);
sharp.cache(false);

const fast = turboJpeg();
const readers = new Map<number, LocalPictures>();

async function answer(request: PicturesRequest): Promise<unknown> {
  const { reader } = request;
  switch (request.kind) {
    case 'open':
      readers.set(reader, new LocalPictures(request.of, fast));
      return undefined;
    case 'next':
      return readers.get(reader)!.next();
    case 'decode':
      return readers.get(reader)!.decode(request.pixels);
    case 'close': {
      const pictures = readers.get(reader);
      readers.delete(reader);
      return pictures?.close();
    }
  }
}

function failureOf(error: unknown): NonNullable<PicturesReply['failure']> {
  if (error instanceof ClmexError) return { code: error.code, message: error.message };
  return { code: 'source-failed', message: error instanceof Error ? error.message : String(error) };
}

port.on('message', (request: PicturesRequest) => {
  answer(request).then(
    (result) => port.postMessage({ id: request.id, result } satisfies PicturesReply),
    (error: unknown) =>
      port.postMessage({ id: request.id, failure: failureOf(error) } satisfies PicturesReply),
  );
});
