import { expect } from 'vitest';

const TIMEOUT_MS = 20_000;

/** What is read becomes as expected, in its own time: a busy machine is no failure. */
export const eventually = <T>(read: () => T): ReturnType<typeof expect.poll<T>> =>
  expect.poll(read, { timeout: TIMEOUT_MS });
