import { connect as connectTcp } from 'node:net';
import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from './eventually.js';
import { ClmexError } from '../../../core/errors.js';
import type { Refusal, Reply, RuntimeStatus, Snapshot } from '../../../core/protocol.js';
import type { StreamServer, StreamServerOptions } from '../../../runtime/stream/index.js';
import { once, previewOf, rawClient, scoreOf, serve, statusAt } from './scripted.js';

const OPERATOR = 'operator-token-0123456789';
const VIEWER = 'viewer-token-0123456789';
const TOKENS = [
  { token: OPERATOR, role: 'operator' as const },
  { token: VIEWER, role: 'viewer' as const },
];

const servers: StreamServer[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(options: Partial<StreamServerOptions> = {}): Promise<StreamServer> {
  const server = await serve(options);
  servers.push(server);
  return server;
}

function join(...given: Parameters<typeof rawClient>): Socket {
  const socket = rawClient(...given);
  sockets.push(socket);
  return socket;
}

const refusalOf = async (socket: Socket): Promise<Refusal> =>
  (await once<Error & { data: Refusal }>(socket, 'connect_error')).data;

/** The server's own count of what it turned away. */
async function refusedCounts(server: StreamServer): Promise<RuntimeStatus['stream']['refused']> {
  const socket = join(server.url);
  await once(socket, 'snapshot');
  const status = once<RuntimeStatus>(socket, 'status');
  server.publishStatus(statusAt(1));
  return (await status).stream.refused;
}

describe('listening', () => {
  test('a port in use is named', async () => {
    const first = await start();
    const port = Number(new URL(first.url).port);
    await expect(serve({ stream: { port } })).rejects.toMatchObject({
      code: 'port-in-use',
      field: 'stream.port',
      value: port,
    });
  });

  test.each(['0.0.0.0', '192.168.1.5', '::', 'kiosk.example'])(
    'binding to %s without a token refuses to start',
    async (host) => {
      await expect(serve({ stream: { host } })).rejects.toMatchObject({
        code: 'invalid-config',
        field: 'stream.tokens',
      });
    },
  );

  test('with a token any address may be bound', async () => {
    const server = await start({ stream: { host: '0.0.0.0', tokens: TOKENS } });
    const url = server.url.replace('0.0.0.0', '127.0.0.1');
    const socket = join(url, { protocol: 1, token: VIEWER });
    expect((await once<Snapshot>(socket, 'snapshot')).role).toBe('viewer');
  });

  test('a short token is refused and not repeated in the message', async () => {
    const tokens = [{ token: 'secret', role: 'viewer' as const }];
    const failure = await serve({ stream: { tokens } }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ClmexError);
    expect(String(failure)).toContain('stream.tokens');
    expect(String(failure)).not.toContain('secret');
  });

  test('an address of another machine is named', async () => {
    await expect(serve({ stream: { host: '192.0.2.1', tokens: TOKENS } })).rejects.toMatchObject({
      code: 'invalid-config',
      field: 'stream.host',
      value: '192.0.2.1',
    });
  });

  test('after close the port is free and clients are gone', async () => {
    const server = await serve();
    const { url } = server;
    const socket = join(url);
    await once(socket, 'snapshot');
    const lost = once<string>(socket, 'disconnect');
    await server.close();
    await server.close();
    await lost;
    const again = await start({ stream: { port: Number(new URL(url).port) } });
    expect(again.url).toBe(url);
  });
});

test('a peer that no longer reads does not hold up the close', async () => {
  const server = await serve();
  const { port } = new URL(server.url);
  const stuck = connectTcp(Number(port), '127.0.0.1');
  const upgrade = ['GET /socket.io/?EIO=4&transport=websocket HTTP/1.1', `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', '', '']; // prettier-ignore
  stuck.write(upgrade.join('\r\n'));
  await new Promise((resolve) => stuck.once('data', resolve));
  stuck.pause();
  stuck.on('error', () => undefined);
  await server.close();
  stuck.destroy();
  expect(server.clients).toBe(0);
}, 3000);

describe('who may come in', () => {
  test('another protocol version is refused by name', async () => {
    const { url } = await start();
    expect(await refusalOf(join(url, { protocol: 99 }))).toMatchObject({
      code: 'protocol-mismatch',
      field: 'auth.protocol',
      value: 99,
      allowed: '1',
    });
    expect(await refusalOf(join(url, {}))).toMatchObject({ code: 'protocol-mismatch' });
  });

  test('a malformed handshake is refused with its field', async () => {
    const { url } = await start();
    const auth = { protocol: 1, subjects: ['ok', 7] };
    expect(await refusalOf(join(url, auth))).toMatchObject({
      code: 'invalid-argument',
      field: 'auth.subjects[1]',
      value: 7,
      allowed: 'a string',
    });
  });

  test('a wrong or missing token is refused; the right one tells the role', async () => {
    const { url } = await start({ stream: { tokens: TOKENS } });
    for (const token of [undefined, '', 'wrong-token-0123456789']) {
      const refusal = await refusalOf(join(url, { protocol: 1, ...(token && { token }) }));
      expect(refusal).toMatchObject({ code: 'unauthorized', field: 'auth.token' });
      expect(JSON.stringify(refusal)).not.toContain('wrong-token');
    }
    const snapshot = await once<Snapshot>(join(url, { protocol: 1, token: OPERATOR }), 'snapshot');
    expect(snapshot).toMatchObject({ role: 'operator', version: '1.2.3', previews: false });
  });

  test('a page of another site is refused, one of this machine or of the list is not', async () => {
    const { url } = await start({ stream: { origins: ['https://kiosk.example'] } });
    const from = (origin: string): Socket => join(url, { protocol: 1 }, { origin });
    for (const origin of ['https://evil.example', 'null', 'https://kiosk.example.evil.example']) {
      expect(await refusalOf(from(origin))).toMatchObject({
        code: 'unauthorized',
        field: 'Origin',
        value: origin,
      });
    }
    for (const origin of ['https://kiosk.example', 'http://localhost:5173', new URL(url).origin]) {
      expect((await once<Snapshot>(from(origin), 'snapshot')).protocol).toBe(1);
    }
  });

  test('a name rebound to loopback is refused', async () => {
    const { url } = await start();
    const headers = { host: 'rebound.example' };
    expect(await refusalOf(join(url, { protocol: 1 }, headers))).toMatchObject({
      code: 'unauthorized',
      field: 'Host',
      value: 'rebound.example',
    });
  });

  test('one client too many is refused, and let in once another leaves', async () => {
    const server = await start({ stream: { maxClients: 1 } });
    const first = join(server.url);
    await once(first, 'snapshot');
    expect(await refusalOf(join(server.url))).toMatchObject({ code: 'limit-exceeded' });
    first.disconnect();
    await eventually(() => server.clients).toBe(0);
    await once(join(server.url), 'snapshot');
    expect(server.clients).toBe(1);
  });
});

describe('what clients send', () => {
  test('malformed, unknown and oversized messages are answered, counted, and harm nobody', async () => {
    const server = await start();
    const bad = join(server.url);
    const good = join(server.url);
    await Promise.all([once(bad, 'snapshot'), once(good, 'snapshot')]);

    expect(await bad.emitWithAck('subscribe', { subjects: 'all' })).toMatchObject({
      ok: false,
      error: { code: 'invalid-argument', field: 'subscribe.subjects', value: 'all' },
    });
    expect(await bad.emitWithAck('subscribe', null)).toMatchObject({
      ok: false,
      error: { code: 'invalid-argument', field: 'subscribe' },
    });
    expect(await bad.emitWithAck('reboot', {})).toMatchObject({
      ok: false,
      error: { code: 'unsupported', value: 'reboot', allowed: 'subscribe' },
    });
    const big = { subjects: ['x'.repeat(20_000)] };
    expect(await bad.emitWithAck('subscribe', big)).toMatchObject({
      ok: false,
      error: { code: 'limit-exceeded', field: 'subscribe' },
    });
    const refused = once<Refusal>(bad, 'refused');
    bad.emit('subscribe', { cameras: [1] });
    expect(await refused).toMatchObject({
      code: 'invalid-argument',
      field: 'subscribe.cameras[0]',
    });

    const scores = once<{ scores: unknown[] }>(good, 'scores');
    server.publishScores([scoreOf('p1', 10)]);
    expect((await scores).scores).toHaveLength(1);
    expect(await refusedCounts(server)).toEqual({
      'invalid-argument': 3,
      unsupported: 1,
      'limit-exceeded': 1,
    });
  });

  test('a message past every limit ends its connection, which is counted', async () => {
    const server = await start();
    const socket = join(server.url);
    await once(socket, 'snapshot');
    const lost = once(socket, 'disconnect');
    socket.emit('subscribe', { subjects: ['x'.repeat(2_000_000)] });
    await lost;
    await eventually(() => refusedCounts(server)).toEqual({ 'limit-exceeded': 1 });
  });

  test('a flood is slowed, then shown the door', async () => {
    const server = await start();
    const socket = join(server.url);
    await once(socket, 'snapshot');
    const lost = once<string>(socket, 'disconnect');
    const codes = new Set<string>();
    socket.on('refused', ({ code }: Refusal) => codes.add(code));
    for (let i = 0; i < 200; i++) socket.emit('subscribe', {});
    expect(await lost).toBe('io server disconnect');
    expect(codes).toEqual(new Set(['limit-exceeded']));
  });

  test('garbage that is not socket.io ends that connection only', async () => {
    const server = await start();
    const { port } = new URL(server.url);
    const garbage = connectTcp(Number(port), '127.0.0.1');
    garbage.write('\u0000\u0001not http\r\n\r\n');
    await new Promise((resolve) => garbage.resume().once('close', resolve));
    await once(join(server.url), 'snapshot');
  });
});

describe('what clients get', () => {
  test('rooms: a client gets the people it asked for, and changes its mind', async () => {
    const server = await start();
    const socket = join(server.url, { protocol: 1, subjects: ['p2'] });
    await once(socket, 'snapshot');
    const publish = (): void => server.publishScores([scoreOf('p1', 5), scoreOf('p2', 5)]);
    type Message = { scores: { subjectId: string }[] };
    const idsOf = ({ scores }: Message): string[] => scores.map(({ subjectId }) => subjectId);

    const first = once<Message>(socket, 'scores');
    publish();
    expect(idsOf(await first)).toEqual(['p2']);

    const reply = (await socket.emitWithAck('subscribe', {})) as Reply;
    expect(reply).toEqual({ ok: true });
    const second = once<Message>(socket, 'scores');
    publish();
    expect(idsOf(await second)).toEqual(['p1', 'p2']);
  });

  test('the snapshot holds who is there, their latest scores and the last status', async () => {
    const server = await start();
    server.publishSubject({ subjectId: 'p1', state: 'appeared', atMs: 1 });
    server.publishScores([scoreOf('p1', 2), scoreOf('p2', 2)]);
    server.publishScores([scoreOf('p1', 40)]);
    server.publishSubject({ subjectId: 'p2', state: 'left', atMs: 41 });
    server.publishStatus(statusAt(42));
    const snapshot = await once<Snapshot>(join(server.url), 'snapshot');
    expect(snapshot.subjects).toEqual([
      { subjectId: 'p1', firstMs: 1, lastMs: 40, cameraIds: ['front', 'left', 'right'] },
    ]);
    expect(snapshot.scores).toEqual([scoreOf('p1', 40)]);
    expect(snapshot.status?.cameras).toEqual(statusAt(42).cameras);
  });

  test('pictures leave only where the configuration says so, to operators who asked', async () => {
    const closed = await start({ stream: { tokens: TOKENS } });
    const open = await start({ previews: true, stream: { tokens: TOKENS } });
    const ask = (server: StreamServer, token: string): Socket =>
      join(server.url, { protocol: 1, token, cameras: ['front'] });

    expect(await refusalOf(ask(closed, OPERATOR))).toMatchObject({ field: 'cameras' });
    expect(await refusalOf(ask(open, VIEWER))).toMatchObject({ field: 'cameras' });
    expect(closed.wantsPreview('front')).toBe(false);

    const operator = ask(open, OPERATOR);
    expect((await once<Snapshot>(operator, 'snapshot')).previews).toBe(true);
    expect(open.wantsPreview('front')).toBe(true);
    expect(open.wantsPreview('left')).toBe(false);
    const jpeg = Uint8Array.from([0xff, 0xd8, 1, 2, 3, 0xff, 0xd9]);
    const picture = once<{ cameraId: string; jpeg: Uint8Array }>(operator, 'preview');
    open.publishPreview(previewOf('left', 1, jpeg));
    open.publishPreview(previewOf('front', 1, jpeg));
    const got = await picture;
    expect(got.cameraId).toBe('front');
    expect([...new Uint8Array(got.jpeg)]).toEqual([...jpeg]);
  });

  test('a client that stops reading gets the newest later, and is told what it missed', async () => {
    const server = await start();
    const socket = join(server.url, { protocol: 1, paced: true });
    await once(socket, 'snapshot');
    type Message = { atMs: number; dropped: number };
    const got: Message[] = [];
    const held: (() => void)[] = [];
    socket.on('scores', (message: Message, acknowledge: () => void) => {
      got.push(message);
      held.push(acknowledge);
    });
    // Turn by turn, so that it is the missing acknowledgements that hold messages back.
    for (let atMs = 1; atMs <= 100; atMs++) {
      server.publishScores([scoreOf('p1', atMs)]);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(got.length).toBeLessThanOrEqual(8);
    held.splice(0).forEach((acknowledge) => acknowledge());
    await eventually(() => got.at(-1)?.atMs).toBe(100);
    expect(got.at(-1)!.dropped).toBe(100 - got.length);
  });
});
