import { describe, expect, it } from 'vitest';
import type { FrameSet, RawFrame } from '../../../core/types.js';
import { SyncStage } from '../../../runtime/sync/index.js';
import { exact } from './streams.js';

describe('a frame set', () => {
  const stageOf = (config = {}) => new SyncStage({ cameraIds: ['a', 'b'], rateHz: 10, ...config });
  /** Both cameras, 10 Hz, b 3 ms after a, and what `alter` makes of it. */
  const feed = (
    stage: SyncStage,
    count: number,
    alter: (frame: RawFrame) => RawFrame | undefined,
  ) => {
    const sets: FrameSet[] = [];
    for (let i = 0; i < count; i++) {
      for (const raw of [exact('a', i, i * 100), exact('b', i, i * 100 + 3)]) {
        const frame = alter(raw);
        if (frame !== undefined) sets.push(...stage.push(frame));
      }
    }
    return [...sets, ...stage.close()];
  };

  const feedUntil = (stage: SyncStage, count: number) => {
    for (let i = 0; i < count; i++) {
      stage.push(exact('a', i, i * 100));
      stage.push(exact('b', i, i * 100 + 3));
    }
  };

  it('holds the frames of one instant', () => {
    const sets = feed(stageOf(), 10, (frame) => frame);
    expect(sets).toHaveLength(10);
    for (const [i, set] of sets.entries()) {
      expect(set.index).toBe(i);
      expect([...set.frames.values()].map(({ sequence }) => sequence)).toEqual([i, i]);
      expect(set.spreadMs).toBeCloseTo(3, 9);
    }
  });

  it('says of a lost frame that it was dropped, and waits no longer than the next one', () => {
    const stage = stageOf();
    const sets = feed(stage, 10, (frame) =>
      frame.cameraId === 'b' && frame.sequence === 5 ? undefined : frame,
    );
    expect(sets[5]!.missing.get('b')).toBe('dropped');
    expect(sets.filter(({ missing }) => missing.size > 0)).toHaveLength(1);
  });

  it('says of a camera that never came that it has not started, and of one that ended that it ended', () => {
    expect(
      feed(stageOf(), 10, (frame) => (frame.cameraId === 'b' ? undefined : frame))[3]!.missing.get(
        'b',
      ),
    ).toBe('not-started');
    const stage = stageOf();
    const sets: FrameSet[] = [];
    for (let i = 0; i < 10; i++) {
      sets.push(...stage.push(exact('a', i, i * 100)));
      if (i < 5) sets.push(...stage.push(exact('b', i, i * 100)));
      if (i === 5) sets.push(...stage.cameraEnded('b'));
    }
    sets.push(...stage.close());
    expect(sets.map(({ missing }) => missing.get('b'))).toEqual([
      ...Array<undefined>(5).fill(undefined),
      ...Array<string>(5).fill('ended'),
    ]);
  });

  it('names a camera that is being opened again', () => {
    const stage = stageOf();
    const sets: FrameSet[] = [];
    for (let i = 0; i < 12; i++) {
      sets.push(...stage.push(exact('a', i, i * 100)));
      if (i < 6) sets.push(...stage.push(exact('b', i, i * 100)));
      if (i === 6) sets.push(...stage.cameraDisconnected('b'));
    }
    expect(sets.at(-1)!.missing.get('b')).toBe('disconnected');
  });

  it('leaves at its deadline with whoever is there', () => {
    const stage = stageOf({ maxWaitMs: 150 });
    for (let i = 0; i < 6; i++) {
      stage.push(exact('a', i, i * 100));
      stage.push(exact('b', i, i * 100));
    }
    expect(stage.push(exact('a', 6, 600))).toEqual([]);
    const due = stage.nextDeadlineMs;
    expect(due).toBeGreaterThan(700);
    expect(due).toBeLessThanOrEqual(755);
    expect(stage.poll(due - 1)).toEqual([]);
    const [set] = stage.poll(due);
    expect([...set!.frames.keys()]).toEqual(['a']);
    expect(set!.missing.get('b')).toBe('late');
    stage.push(exact('b', 6, 600, 200));
    expect(stage.dropsOf('b')).toEqual({ late: 1 });
  });

  it('waits for a camera as long as its frames have ever taken, not longer', () => {
    const stage = stageOf();
    feedUntil(stage, 100);
    // All delays were 5 ms: b's frame of 10,003 is lost after a few more.
    stage.push(exact('a', 100, 10_000));
    expect(stage.nextDeadlineMs).toBeGreaterThan(10_003);
    expect(stage.nextDeadlineMs).toBeLessThan(10_050);
    expect(stage.poll(10_050)[0]!.missing.get('b')).toBe('late');
  });

  it('leaves out a frame whose neighbour may be nearer to the others', () => {
    const stage = new SyncStage({ cameraIds: ['a', 'b', 'c'], rateHz: 10 });
    const sets: FrameSet[] = [];
    // a and c hold the tick at 0; b lies on the border between two sets.
    for (let i = 0; i < 40; i++) {
      sets.push(...stage.push(exact('a', i, i * 100)), ...stage.push(exact('c', i, i * 100 + 40)));
      sets.push(...stage.push(exact('b', i, i * 100 + 70)));
    }
    sets.push(...stage.close());
    for (const { frames } of sets.slice(10)) {
      const times = [...frames.values()].map(({ capturedAtMs }) => capturedAtMs);
      expect(Math.max(...times) - Math.min(...times)).toBeLessThan(75);
    }
  });

  it('takes the nearest frame of a faster camera and counts the others', () => {
    const stage = new SyncStage({ cameraIds: ['slow', 'fast'] });
    const sets: FrameSet[] = [];
    for (let i = 0; i < 60; i++) {
      if (i % 3 === 0) sets.push(...stage.push(exact('slow', i / 3, i * 20)));
      sets.push(...stage.push(exact('fast', i, i * 20)));
    }
    sets.push(...stage.close());
    for (const set of sets.slice(3, -1)) {
      expect(set.missing.size).toBe(0);
      expect(set.spreadMs).toBeLessThan(21);
    }
    const { entered, inSets } = stage.framesOf('fast');
    expect(stage.dropsOf('fast').superseded).toBeGreaterThan(35);
    expect(entered).toBe(60);
    expect(inSets).toBeLessThan(24);
  });

  it('keeps frames outside the tolerance out, and says so', () => {
    const stage = stageOf({ toleranceMs: 10 });
    const sets = feed(stage, 30, (frame) =>
      frame.cameraId === 'b' && frame.sequence === 20 ? exact('b', 20, 2040) : frame,
    );
    expect(sets[20]!.missing.get('b')).toBe('out-of-tolerance');
    expect(stage.dropsOf('b')).toEqual({ 'out-of-tolerance': 1 });
  });

  it('leaves only whole where the policy says so', () => {
    const stage = stageOf({ policy: 'complete' });
    const sets = feed(stage, 10, (frame) =>
      frame.cameraId === 'b' && frame.sequence === 4 ? undefined : frame,
    );
    expect(sets).toHaveLength(9);
    expect(stage.dropsOf('a')).toEqual({ 'incomplete-set': 1 });
  });

  it('drops stamps that are no numbers, repeat, or go back, each under its name', () => {
    const stage = stageOf();
    const more = [exact('a', 3, NaN), exact('a', 3, 200), exact('a', 3, 150)];
    feed(stage, 3, (frame) => frame);
    const other = stageOf();
    for (let i = 0; i < 3; i++) other.push(exact('a', i, i * 100));
    for (const frame of more) other.push({ ...frame, arrivedAtMs: 300 });
    expect(other.dropsOf('a')).toEqual({ 'invalid-stamp': 1, duplicate: 1, 'out-of-order': 1 });
  });

  it('takes nothing more once the stage is closed', () => {
    const stage = stageOf();
    stage.close();
    let closed = false;
    const frame = { ...exact('a', 0, 0), close: () => (closed = true) };
    expect(stage.push(frame as RawFrame)).toEqual([]);
    expect(closed).toBe(true);
    expect(stage.dropsOf('a')).toEqual({ shutdown: 1 });
  });
});
