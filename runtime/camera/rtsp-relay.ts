import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ClmexError } from '../../core/errors.js';
import { SenderClock } from './sender-clock.js';

const INTERLEAVED = 0x24; // '$', RFC 2326, 10.12
/** A response that does not end within this is not RTSP. */
const MOST_TEXT_BYTES = 256 * 1024;

/**
 * Stands between FFmpeg and an RTSP server on loopback, passes every byte on, and reads the packets
 * that go by: FFmpeg keeps the sender reports to itself.
 */
export class RtspRelay {
  readonly clock = new SenderClock();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #pending = Buffer.alloc(0);
  #reading = true;

  private constructor(host: string, port: number) {
    this.#server = createServer((client) => this.#join(client, connect(port, host)));
  }

  static async open(url: URL): Promise<RtspRelay> {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const relay = new RtspRelay(host, Number(url.port || 554));
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', (cause) =>
        reject(new ClmexError('source-failed', 'cannot relay the stream', { cause })),
      );
      relay.#server.listen(0, '127.0.0.1', resolve);
    });
    return relay;
  }

  /** The address to use instead of the server's. */
  addressOf(url: URL): string {
    const here = new URL(url);
    here.hostname = '127.0.0.1';
    here.port = String((this.#server.address() as AddressInfo).port);
    return here.href;
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #join(client: Socket, camera: Socket): void {
    for (const [socket, other] of [[client, camera], [camera, client]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    } // prettier-ignore
    camera.on('data', (bytes: Buffer) => {
      if (this.#reading) this.#read(bytes);
    });
  }

  #read(bytes: Buffer): void {
    let rest = Buffer.concat([this.#pending, bytes]);
    for (;;) {
      const length = rest[0] === INTERLEAVED ? packetLength(rest) : textLength(rest);
      if (length === undefined || rest.length < length) break;
      if (rest[0] === INTERLEAVED) this.#packet(rest[1]!, rest.subarray(4, length));
      else this.#text(rest.toString('latin1', 0, length));
      rest = rest.subarray(length);
    }
    this.#pending = rest;
    if (rest.length > MOST_TEXT_BYTES) this.#reading = false;
  }

  /** One stream is set up, on channels 2n and 2n + 1. */
  #packet(channel: number, packet: Buffer): void {
    if (channel % 2 === 0) this.clock.rtpPacket(packet);
    else this.clock.rtcpPacket(packet);
  }

  #text(response: string): void {
    const played = /^RTP-Info:.*?rtptime=(\d+)/im.exec(response);
    if (played !== null) this.clock.playedFrom(Number(played[1]) >>> 0);
  }
}

function packetLength(bytes: Buffer): number | undefined {
  return bytes.length < 4 ? undefined : 4 + bytes.readUInt16BE(2);
}

function textLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const body = /^content-length:\s*(\d+)/im.exec(bytes.toString('latin1', 0, end));
  return end + 4 + Number(body?.[1] ?? 0);
}
