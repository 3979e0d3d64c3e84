import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ClmexError } from '../../core/errors.js';
import {
  PROTOCOL_VERSION,
  type Handshake,
  type Role,
  type Subscription,
} from '../../core/protocol.js';
import { handshakeSchema, parseMessage } from '../../core/protocol-schemas.js';
import { isLoopback, type StreamConfig } from './config.js';

/**
 * Refuses requests that a foreign web page caused. Browsers let any page open a WebSocket to this
 * machine and say where the page came from (`Origin`); a page whose name was rebound to a loopback
 * address shows in `Host`.
 * @throws ClmexError `unauthorized`.
 */
export function checkOrigin(headers: IncomingHttpHeaders, config: StreamConfig): void {
  const host = headers.host ?? '';
  if (isLoopback(config.host) && !isLoopback(parse(`http://${host}`)?.hostname ?? '')) {
    const allowed = 'a loopback name, as the runtime listens on loopback only';
    throw new ClmexError('unauthorized', 'unknown host', { field: 'Host', value: host, allowed });
  }
  const { origin } = headers;
  if (origin === undefined) return;
  const isKnown =
    config.origins.some((known) => new URL(known).origin === origin) ||
    isLoopback(parse(origin)?.hostname ?? '') ||
    parse(origin)?.host === host;
  if (isKnown) return;
  const allowed = ['pages of this machine', ...config.origins].join(', ');
  throw new ClmexError('unauthorized', 'page from an unknown origin', {
    field: 'Origin',
    value: origin,
    allowed: `${allowed} (stream.origins)`,
  });
}

/**
 * What a client says of itself when it connects.
 * @throws ClmexError `protocol-mismatch` or `invalid-argument`.
 */
export function readHandshake(auth: unknown): Handshake {
  const protocol = (auth as Partial<Handshake> | undefined)?.protocol;
  if (protocol !== PROTOCOL_VERSION) {
    throw new ClmexError('protocol-mismatch', 'client and runtime speak different versions', {
      field: 'auth.protocol',
      value: protocol ?? null,
      allowed: String(PROTOCOL_VERSION),
    });
  }
  return parseMessage(handshakeSchema, auth, 'auth');
}

/**
 * Pictures are for operators, and only where the runtime sends any.
 * @throws ClmexError `unauthorized`.
 */
export function checkSubscription({ cameras = [] }: Subscription, mayHavePictures: boolean): void {
  if (cameras.length === 0 || mayHavePictures) return;
  throw new ClmexError('unauthorized', 'no pictures for this client', {
    field: 'cameras',
    value: cameras.join(', '),
    allowed: 'none, unless privacy.previews is on and the token is an operator’s',
  });
}

/**
 * The role a token stands for; without configured tokens everybody on this machine is an operator.
 * @throws ClmexError `unauthorized`; names no token.
 */
export function roleOf(token: string | undefined, { tokens }: StreamConfig): Role {
  if (tokens.length === 0) return 'operator';
  const given = digest(token ?? '');
  // Every token is compared, in constant time: how long it takes tells nothing.
  const matches = tokens.filter((known) => timingSafeEqual(digest(known.token), given));
  if (matches[0] !== undefined) return matches[0].role;
  const message = token === undefined ? 'a token is needed' : 'unknown token';
  throw new ClmexError('unauthorized', message, {
    field: 'auth.token',
    allowed: 'one of stream.tokens',
  });
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const parse = (url: string): URL | undefined => (URL.canParse(url) ? new URL(url) : undefined);
