import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eventually } from '../runtime/stream/eventually.js';
import type { StreamServer } from '../../runtime/stream/index.js';
import { connect } from '../../sdk/index.js';
import { useScores, type People } from '../../sdk/react.js';
import { scoreOf, serve } from '../runtime/stream/scripted.js';

/** As much of React as one component needs: state that renders again, effects that clean up. */
const component = vi.hoisted(() => {
  let states: unknown[] = [];
  let effects: { given: unknown[]; cleanUp: () => void }[] = [];
  let render = (): void => undefined;
  return {
    mount: (body: () => void): (() => void) => {
      let cursor = 0;
      states = [];
      effects = [];
      render = () => {
        cursor = 0;
        component.next = () => cursor++;
        body();
      };
      render();
      return () => {
        effects.forEach(({ cleanUp }) => cleanUp());
      };
    },
    next: (): number => 0,
    useState: (first: unknown): [unknown, (value: unknown) => void] => {
      const i = component.next();
      if (!(i in states)) states[i] = first;
      const set = (value: unknown): void => {
        states[i] = value;
        render();
      };
      return [states[i], set];
    },
    useEffect: (effect: () => () => void, given: unknown[]): void => {
      const i = component.next();
      const before = effects[i];
      if (before?.given.every((value, k) => Object.is(value, given[k]))) return;
      before?.cleanUp();
      effects[i] = { given, cleanUp: effect() };
    },
  };
});
vi.mock('react', () => ({ useState: component.useState, useEffect: component.useEffect }));

let server: StreamServer;
let unmount: (() => void) | undefined;

beforeEach(async () => {
  vi.stubGlobal('requestAnimationFrame', (paint: () => void) => setTimeout(paint, 16));
  server = await serve();
});
afterEach(async () => {
  unmount?.();
  vi.unstubAllGlobals();
  await server.close();
});

/** Mounts a component with the hook; what it showed last. */
function mount(...given: Parameters<typeof useScores>): () => People {
  let shown: People | undefined;
  unmount = component.mount(() => (shown = useScores(...given)));
  return () => shown!;
}

describe('useScores', () => {
  test('connects to an address, shows everybody, and leaves with the component', async () => {
    const shown = mount(server.url);
    expect(shown()).toEqual({ scores: [], connection: { state: 'connecting' } });
    await eventually(() => shown().connection.state).toBe('connected');
    server.publishScores([scoreOf('p1', 1), scoreOf('p2', 1)]);
    server.publishScores([scoreOf('p1', 2)]);
    await eventually(() => shown().scores).toEqual([scoreOf('p1', 2), scoreOf('p2', 1)]);
    server.publishSubject({ subjectId: 'p1', state: 'left', atMs: 3 });
    await eventually(() => shown().scores).toEqual([scoreOf('p2', 1)]);
    unmount!();
    await eventually(() => server.clients).toBe(0);
  });

  test('follows one person of a client that is the caller’s to close', async () => {
    const client = await connect(server.url);
    const shown = mount(client, { subject: 'p2' });
    server.publishScores([scoreOf('p1', 1), scoreOf('p2', 1)]);
    await eventually(() => shown().scores).toEqual([scoreOf('p2', 1)]);
    unmount!();
    expect(client.connection.state).toBe('connected');
    client.close();
  });

  test('shows why it cannot connect', async () => {
    const shown = mount('not an address');
    await eventually(() => shown().connection).toMatchObject({
      state: 'closed',
      error: { code: 'invalid-argument', field: 'url' },
    });
  });
});
