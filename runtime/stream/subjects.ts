import type { Subject, SubjectChange } from '../../core/protocol.js';
import type { ExpressionScores } from '../../core/types.js';

/** How long a camera counts as seeing a person after it last did; also the pace of `changed`. */
const CAMERA_MEMORY_MS = 1000;
const MOST_SUBJECTS = 256;

interface Entry {
  subject: Subject;
  latest: ExpressionScores;
  /** Last time each camera contributed, on the score's clock. */
  readonly seenByMs: Map<string, number>;
  /** When the last score came, on the caller's clock. */
  heardAtMs: number;
  changedAtMs: number;
}

/** Who is there, told from the scores that pass: people appear, are seen by other cameras, leave. */
export class SubjectBook {
  readonly #entries = new Map<string, Entry>();
  readonly #timeoutMs: number;
  readonly #tell: (change: SubjectChange) => void;

  constructor(timeoutMs: number, tell: (change: SubjectChange) => void) {
    this.#timeoutMs = timeoutMs;
    this.#tell = tell;
  }

  get subjects(): Subject[] {
    return [...this.#entries.values()].map(({ subject }) => subject);
  }

  get scores(): ExpressionScores[] {
    return [...this.#entries.values()].map(({ latest }) => latest);
  }

  /** @param nowMs the clock by which people time out; not that of the scores. */
  note(scores: ExpressionScores, nowMs: number): void {
    const { subjectId, atMs } = scores;
    const entry = this.#entries.get(subjectId);
    if (entry === undefined) {
      if (this.#entries.size >= MOST_SUBJECTS) this.#remove(this.#entries.keys().next().value!);
      this.#add(scores, nowMs);
      return;
    }
    for (const { cameraId } of scores.views) entry.seenByMs.set(cameraId, atMs);
    const cameraIds = [...entry.seenByMs]
      .filter(([, seenMs]) => Math.abs(atMs - seenMs) <= CAMERA_MEMORY_MS)
      .map(([cameraId]) => cameraId)
      .sort();
    const isChanged = cameraIds.join('\n') !== entry.subject.cameraIds.join('\n');
    const mayTell = Math.abs(atMs - entry.changedAtMs) >= CAMERA_MEMORY_MS;
    entry.subject = {
      ...entry.subject,
      lastMs: atMs,
      ...(isChanged && mayTell && { cameraIds }),
    };
    entry.latest = scores;
    entry.heardAtMs = nowMs;
    if (!isChanged || !mayTell) return;
    entry.changedAtMs = atMs;
    this.#tell({ kind: 'changed', subject: entry.subject });
  }

  /** Lets those go who had no score for too long. */
  sweep(nowMs: number): void {
    for (const [id, { heardAtMs }] of this.#entries) {
      if (nowMs - heardAtMs > this.#timeoutMs) this.#remove(id);
    }
  }

  #add(scores: ExpressionScores, nowMs: number): void {
    const { subjectId, atMs, views } = scores;
    const cameraIds = views.map(({ cameraId }) => cameraId).sort();
    const subject: Subject = { subjectId, firstMs: atMs, lastMs: atMs, cameraIds };
    this.#entries.set(subjectId, {
      subject,
      latest: scores,
      seenByMs: new Map(cameraIds.map((cameraId) => [cameraId, atMs])),
      heardAtMs: nowMs,
      changedAtMs: atMs,
    });
    this.#tell({ kind: 'appeared', subject });
  }

  #remove(id: string): void {
    const { subject } = this.#entries.get(id)!;
    this.#entries.delete(id);
    this.#tell({ kind: 'left', subject });
  }
}
