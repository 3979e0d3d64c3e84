import { io } from 'socket.io-client';
import { ClmexError } from '../core/errors.js';
import { PROTOCOL_VERSION, type Subscription } from '../core/protocol.js';
import { Client, type ClientSocket } from './client.js';

export interface ConnectOptions extends Subscription {
  /** Needed where the runtime's configuration names tokens. */
  readonly token?: string;
  /** Gives up connecting; closes the client once connected. */
  readonly signal?: AbortSignal;
  /** How long to try before the first connection; default 10 000, `Infinity` to wait for ever. */
  readonly timeoutMs?: number;
}

/**
 * Connects to a runtime and waits for its snapshot.
 *
 * @param url where the runtime listens, e.g. `http://127.0.0.1:4747`; a path before `/socket.io`
 *   (a reverse proxy's) is kept.
 * @throws ClmexError `invalid-argument` (url, timeoutMs), `unauthorized`, `protocol-mismatch`,
 *   `timeout`; what the signal was aborted with.
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const { signal, timeoutMs = 10_000, ...wishes } = options;
  signal?.throwIfAborted();
  if (!(timeoutMs > 0)) {
    const details = { field: 'timeoutMs', value: timeoutMs, allowed: 'more than 0' };
    throw new ClmexError('invalid-argument', 'invalid timeout', details);
  }
  const client = new Client(open(url), { ...wishes, protocol: PROTOCOL_VERSION, paced: true });
  try {
    await connected(client, timeoutMs, signal);
  } catch (error) {
    client.close();
    throw error;
  }
  signal?.addEventListener('abort', () => client.close(), { once: true });
  return client;
}

function open(url: string): ClientSocket {
  const allowed = 'an http:// or https:// address, e.g. http://127.0.0.1:4747';
  const details = { field: 'url', value: url, allowed };
  const { protocol, host, pathname = '' } = parse(url) ?? {};
  if (host === undefined || (protocol !== 'http:' && protocol !== 'https:')) {
    throw new ClmexError('invalid-argument', 'invalid address', details);
  }
  return io(`${protocol}//${host}`, {
    path: `${pathname.replace(/\/+$/, '')}/socket.io`,
    transports: ['websocket'],
    reconnectionDelay: 250,
    reconnectionDelayMax: 5000,
    // Several clients in one program stay independent: one may have another token.
    forceNew: true,
  });
}

/** Settles with the first snapshot, the first refusal, the time-out or the signal. */
function connected(client: Client, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let last: ClmexError | undefined;
    const settle = (outcome: () => void): void => {
      stop();
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      outcome();
    };
    const onAbort = (): void => settle(() => reject(signal?.reason as Error));
    const stop = client.on('connection', ({ state, error }) => {
      last = error ?? last;
      if (state === 'connected') settle(resolve);
      else if (state === 'closed') settle(() => reject(last ?? new ClmexError('closed', 'closed')));
    });
    const onTimeout = (): void => {
      const allowed = `an answer within ${timeoutMs} ms (timeoutMs)`;
      const details = { allowed, cause: last };
      const message = last?.message ?? 'no answer from the runtime';
      settle(() => reject(new ClmexError('timeout', message, details)));
    };
    // Timers hold 31 bits; whoever waits that long waits for ever.
    const timer = timeoutMs < 2 ** 31 ? setTimeout(onTimeout, timeoutMs) : undefined;
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function parse(url: string): Partial<URL> | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}
