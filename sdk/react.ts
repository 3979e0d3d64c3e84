import { useEffect, useState } from 'react';
import type { ExpressionScores } from '../core/types.js';
import type { Client, Connection } from './client.js';
import { connect } from './connect.js';

export interface UseScoresOptions {
  readonly token?: string;
  /** Only this person. */
  readonly subject?: string;
}

export interface People {
  /** The latest score of everybody present, by id; at most one update an animation frame. */
  readonly scores: readonly ExpressionScores[];
  readonly connection: Connection;
}

/**
 * The latest scores, kept current while the component is mounted.
 *
 * @param source a runtime's address (then the hook connects, waits for the runtime as long as it
 *   takes, and disconnects with the component) or a client of yours.
 */
export function useScores(source: string | Client, options: UseScoresOptions = {}): People {
  const { token, subject } = options;
  const [people, setPeople] = useState<People>({ scores: [], connection: { state: 'connecting' } });

  useEffect(() => {
    const leaving = new AbortController();
    const watchClient = (client: Client): void => watch(client, subject, setPeople, leaving.signal);
    if (typeof source !== 'string') {
      watchClient(source);
    } else {
      connect(source, {
        ...(token !== undefined && { token }),
        signal: leaving.signal,
        timeoutMs: Infinity,
      })
        .then(watchClient)
        .catch((error: unknown) => {
          if (leaving.signal.aborted) return;
          setPeople({ scores: [], connection: { state: 'closed', error: error as never } });
        });
    }
    return () => leaving.abort();
  }, [source, token, subject]);

  return people;
}

function watch(
  client: Client,
  subject: string | undefined,
  show: (people: People) => void,
  signal: AbortSignal,
): void {
  let isDue = false;
  const refresh = (): void => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      if (signal.aborted) return;
      const scores = [...client.latest.values()].filter(
        ({ subjectId }) => subject === undefined || subjectId === subject,
      );
      show({ scores, connection: client.connection });
    });
  };
  const events = ['scores', 'subject', 'connection'] as const;
  const stops = events.map((event) => client.on(event, refresh));
  signal.addEventListener('abort', () => stops.forEach((stop) => stop()), { once: true });
  refresh();
}
