import type { Readable } from 'node:stream';
import { LineQueue } from './line-queue.js';

const BUFFER = /clmexstamp: last-message = chain .*?pts: (\S+?),/;
const CAPS =
  /clmexstamp\.GstPad:src: caps = video\/x-raw.*?width=\(int\)(\d+), height=\(int\)(\d+)/;
const TIME = /^(\d+):(\d+):(\d+\.\d+)$/;

export interface GstBuffer {
  /** 0 where the pipeline has ended. */
  readonly width: number;
  readonly height: number;
  /** NaN where the buffer has no stamp. */
  readonly stampMs: number;
}

const END: GstBuffer = { width: 0, height: 0, stampMs: NaN };

/** What gst-launch-1.0 says, with `-v`, about the buffers that pass an identity element. */
export function gstMessages(stream: Readable): LineQueue<GstBuffer> {
  let [width, height] = [0, 0];
  const read = (line: string): GstBuffer | undefined => {
    const caps = CAPS.exec(line);
    if (caps !== null) [width, height] = [Number(caps[1]), Number(caps[2])];
    const buffer = BUFFER.exec(line);
    return buffer === null ? undefined : { width, height, stampMs: millisecondsOf(buffer[1]!) };
  };
  return new LineQueue(stream, read, END);
}

function millisecondsOf(time: string): number {
  const match = TIME.exec(time);
  if (match === null) return NaN;
  const [, hours, minutes, seconds] = match;
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
}
