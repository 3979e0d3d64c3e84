import type { Subject, SubjectChange } from '../../core/protocol.js';
import type { ExpressionScores } from '../../core/types.js';

/** How long a camera counts as seeing a person after it last did; also the pace of `changed`. */
const CAMERA_MEMORY_MS = 1000;
/** A bound against a flood of ids; a rig follows a handful of people. */
const MOST_SUBJECTS = 256;

interface Entry {
  subject: Subject;
  latest?: ExpressionScores;
  /** Last time each camera contributed. */
  readonly seenByMs: Map<string, number>;
  changedAtMs: number;
}

/** Who is there, for snapshots and changes; which cameras see them is told by their scores. */
export class SubjectBook {
  readonly #entries = new Map<string, Entry>();
  readonly #tell: (change: SubjectChange) => void;

  constructor(tell: (change: SubjectChange) => void) {
    this.#tell = tell;
  }

  get subjects(): Subject[] {
    return [...this.#entries.values()].map(({ subject }) => subject);
  }

  get scores(): ExpressionScores[] {
    return [...this.#entries.values()].flatMap(({ latest }) => latest ?? []);
  }

  appeared(subjectId: string, atMs: number): void {
    if (!this.#entries.has(subjectId)) this.#add(subjectId, atMs, []);
  }

  left(subjectId: string): void {
    const entry = this.#entries.get(subjectId);
    if (entry === undefined) return;
    this.#entries.delete(subjectId);
    this.#tell({ kind: 'left', subject: entry.subject });
  }

  scored(scores: ExpressionScores): void {
    const { subjectId, atMs, views } = scores;
    const entry =
      this.#entries.get(subjectId) ??
      this.#add(subjectId, atMs, views.map(({ cameraId }) => cameraId).sort());
    for (const { cameraId } of views) entry.seenByMs.set(cameraId, atMs);
    entry.latest = scores;
    entry.subject = { ...entry.subject, lastMs: atMs };
    const { cameraIds } = entry.subject;
    if (cameraIds.length > 0 && Math.abs(atMs - entry.changedAtMs) < CAMERA_MEMORY_MS) return;
    const now = [...entry.seenByMs]
      .filter(([, seenMs]) => Math.abs(atMs - seenMs) <= CAMERA_MEMORY_MS)
      .map(([cameraId]) => cameraId)
      .sort();
    if (now.join('\n') === cameraIds.join('\n')) return;
    entry.changedAtMs = atMs;
    entry.subject = { ...entry.subject, cameraIds: now };
    this.#tell({ kind: 'changed', subject: entry.subject });
  }

  #add(subjectId: string, atMs: number, cameraIds: string[]): Entry {
    if (this.#entries.size >= MOST_SUBJECTS) this.left(this.#entries.keys().next().value!);
    const entry: Entry = {
      subject: { subjectId, firstMs: atMs, lastMs: atMs, cameraIds },
      seenByMs: new Map(cameraIds.map((cameraId) => [cameraId, atMs])),
      changedAtMs: atMs,
    };
    this.#entries.set(subjectId, entry);
    this.#tell({ kind: 'appeared', subject: entry.subject });
    return entry;
  }
}
