import type { Readable } from 'node:stream';
import { LineQueue } from './line-queue.js';

const LINE = /^frame:\s*\d+\s+pts:\s*(\S+)/;

/**
 * Presentation stamps printed by FFmpeg's `metadata` filter, in the order of the frames; NaN where a
 * frame has none or the child has died.
 */
export function ptsLines(stream: Readable): LineQueue<number> {
  const read = (line: string): number | undefined => {
    const match = LINE.exec(line);
    return match === null ? undefined : Number(match[1]);
  };
  return new LineQueue(stream, read, NaN);
}
