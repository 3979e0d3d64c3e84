import { subtract, norm } from '../../core/geometry.js';
import type { Face, ViewGroup } from '../../core/types.js';
import type { RigCalibration } from '../../calibration/index.js';
import { cluster } from './cluster.js';
import {
  CALIBRATED_SPREAD, GATE, misfit, observe, SELF_PLACED_SPREAD,
  type Observation, type Placement, type Spread,
} from './observation.js'; // prettier-ignore
import { SelfPlacement } from './placement.js';
import { Subject } from './subject.js';

export interface ViewsOptions {
  readonly cameraIds: readonly string[];
  /** Of upright frames; without it the rig is placed by the faces themselves. */
  readonly calibration?: RigCalibration | undefined;
  readonly maxSubjects: number;
  /** A person unseen for this long has left. */
  readonly leftAfterMs: number;
}

export interface SubjectChange {
  readonly subjectId: string;
  readonly state: 'appeared' | 'left';
  readonly atMs: number;
}

/** A new head is believed in its second set when several cameras see it, later from one alone. */
const SETS_TO_BELIEVE = { several: 2, single: 4 } as const;
/** The same camera's track speaks for the same person; worth this much misfit. */
const TRACK_BONUS = 6;
/** Nobody moves their head faster (m/s); widens the gate between sets. */
const TOP_SPEED = 1.5;
/** Two subjects nearer than this that share no camera are one. */
const SAME_HEAD = 0.15;

/** Gathers the faces of each person seen from several sides. Faces it cannot place are counted. */
export class ViewsStage {
  readonly #options: ViewsOptions;
  readonly #spread: Spread;
  readonly #fixed: ReadonlyMap<string, Placement> | undefined;
  readonly #self: SelfPlacement;
  readonly #changes: SubjectChange[] = [];
  #subjects: Subject[] = [];
  /** Followed while an uncalibrated rig was not yet placed: their position means nothing. */
  #provisional: Subject | undefined;
  #named = 0;
  #unplacedFaces = 0;

  constructor(options: ViewsOptions) {
    this.#options = options;
    this.#spread = options.calibration === undefined ? SELF_PLACED_SPREAD : CALIBRATED_SPREAD;
    this.#fixed = options.calibration && new Map(Object.entries(options.calibration.cameras));
    this.#self = new SelfPlacement(options.cameraIds);
  }

  /** Faces that belonged to no group so far. */
  get unplacedFaces(): number {
    return this.#unplacedFaces;
  }

  push(faces: readonly Face[], atMs: number): ViewGroup[] {
    if (this.#fixed === undefined) this.#self.push(faces);
    const observations = this.#observe(faces);
    const views =
      observations === undefined
        ? this.#asOnePerson(faces, atMs)
        : this.#assign(observations, atMs);
    this.#retire(atMs);
    const groups = this.#groups(views, atMs);
    this.#unplacedFaces +=
      faces.length - groups.reduce((sum, group) => sum + group.faces.length, 0);
    return groups;
  }

  /** Lets time pass without faces: people leave even where no camera delivers any more. */
  expire(atMs: number): void {
    this.#retire(atMs);
  }

  /** Who came and who left since the last call. */
  takeChanges(): SubjectChange[] {
    return this.#changes.splice(0);
  }

  close(): void {
    for (const { id, lastMs } of this.#subjects) {
      if (id !== undefined) this.#changes.push({ subjectId: id, state: 'left', atMs: lastMs });
    }
    this.#subjects = [];
  }

  /** Undefined while an uncalibrated rig has not placed all cameras that see a face. */
  #observe(faces: readonly Face[]): Observation[] | undefined {
    const placements = this.#fixed ?? this.#self.placements;
    const placed = faces.filter((face) => placements.has(face.cameraId));
    const unplaced = placed.length < faces.length;
    if (unplaced && this.#fixed === undefined && atMostOneEach(faces)) return undefined;
    return placed.map((face) => observe(face, placements.get(face.cameraId)!));
  }

  /**
   * Before an uncalibrated rig is placed, one face a camera is taken for one person's: the common
   * start of a kiosk. Their shared subject hands over to the placed one by its tracks.
   */
  #asOnePerson(faces: readonly Face[], atMs: number): Map<Subject, Observation[]> {
    const origin: Placement = { rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1], translation: [0, 0, 0] };
    const views = faces.map((face) => observe(face, origin));
    if (views.length === 0) return new Map();
    const subject = this.#subjects[0] ?? this.#add(views, atMs);
    subject.update(views, atMs);
    this.#provisional = subject;
    return new Map([[subject, views]]);
  }

  #assign(observations: readonly Observation[], atMs: number): Map<Subject, Observation[]> {
    const views = this.#settle(observations) ?? this.#continue(observations, atMs);
    const taken = new Set([...views.values()].flat());
    const left = observations.filter((observation) => !taken.has(observation));
    for (const head of cluster(left, this.#spread)) {
      if (this.#subjects.length < this.#options.maxSubjects) views.set(this.#add(head, atMs), head);
    }
    for (const [subject, seen] of views) subject.update(seen, atMs);
    this.#merge(views);
    return views;
  }

  /** Hands the person followed before the rig was placed to the head that has most of their tracks. */
  #settle(observations: readonly Observation[]): Map<Subject, Observation[]> | undefined {
    const subject = this.#provisional;
    this.#provisional = undefined;
    if (subject === undefined || !this.#subjects.includes(subject)) return undefined;
    const followed = (head: readonly Observation[]): number =>
      head.filter(({ face }) => subject.follows(face)).length;
    const heads = cluster(observations, this.#spread);
    const best = heads.reduce<Observation[]>((a, b) => (followed(b) > followed(a) ? b : a), []);
    if (best.length === 0) return undefined;
    subject.update(best, subject.lastMs);
    return new Map([[subject, best]]);
  }

  /** Gives known people the faces that fit where they should be by now, best fits first. */
  #continue(observations: readonly Observation[], atMs: number): Map<Subject, Observation[]> {
    const fits: { subject: Subject; observation: Observation; cost: number }[] = [];
    for (const subject of this.#subjects) {
      const seconds = Math.min(1, (atMs - subject.lastMs) / 1000);
      const spread = { ...this.#spread, ray: this.#spread.ray + TOP_SPEED * seconds * 0.5 };
      const position = subject.predict(atMs);
      for (const observation of observations) {
        const known = subject.follows(observation.face);
        const cost = misfit(observation, position, subject.rotation, spread);
        if (cost < (known ? 4 * GATE : GATE)) {
          fits.push({ subject, observation, cost: cost - (known ? TRACK_BONUS : 0) });
        }
      }
    }
    fits.sort((a, b) => a.cost - b.cost);
    return onePerCamera(fits);
  }

  #add(views: readonly Observation[], atMs: number): Subject {
    const subject = new Subject(views, atMs);
    this.#subjects.push(subject);
    return subject;
  }

  /** A person followed twice, by different cameras, becomes the one known longer. */
  #merge(views: Map<Subject, Observation[]>): void {
    for (const older of this.#subjects) {
      for (const younger of this.#subjects.slice(this.#subjects.indexOf(older) + 1)) {
        const [mine, theirs] = [views.get(older), views.get(younger)];
        if (mine === undefined || theirs === undefined) continue;
        const cameras = new Set(mine.map(({ face }) => face.cameraId));
        const apart = norm(subtract(older.position, younger.position));
        if (apart > SAME_HEAD || theirs.some(({ face }) => cameras.has(face.cameraId))) continue;
        views.set(older, [...mine, ...theirs]);
        views.delete(younger);
        this.#leave(younger);
      }
    }
  }

  #retire(atMs: number): void {
    for (const subject of [...this.#subjects]) {
      const patience = subject.id === undefined ? 300 : this.#options.leftAfterMs;
      if (atMs - subject.lastMs > patience) this.#leave(subject);
    }
  }

  #leave(subject: Subject): void {
    this.#subjects = this.#subjects.filter((other) => other !== subject);
    if (subject.id !== undefined) {
      this.#changes.push({ subjectId: subject.id, state: 'left', atMs: subject.lastMs });
    }
  }

  #groups(views: ReadonlyMap<Subject, Observation[]>, atMs: number): ViewGroup[] {
    const groups: ViewGroup[] = [];
    for (const [subject, seen] of views) {
      const needed = seen.length > 1 ? SETS_TO_BELIEVE.several : SETS_TO_BELIEVE.single;
      if (subject.id === undefined && subject.seenSets >= needed) {
        subject.id = `person-${++this.#named}`;
        this.#changes.push({ subjectId: subject.id, state: 'appeared', atMs });
      }
      if (subject.id === undefined) continue;
      groups.push({
        subjectId: subject.id,
        atMs,
        faces: seen.map(({ face }) => face),
        ...(this.#fixed && { head: { position: subject.position, rotation: subject.rotation } }),
      });
    }
    return groups;
  }
}

function atMostOneEach(faces: readonly Face[]): boolean {
  return new Set(faces.map(({ cameraId }) => cameraId)).size === faces.length;
}

function onePerCamera(
  fits: readonly { subject: Subject; observation: Observation }[],
): Map<Subject, Observation[]> {
  const views = new Map<Subject, Observation[]>();
  const taken = new Set<Observation>();
  for (const { subject, observation } of fits) {
    const mine = views.get(subject) ?? [];
    const { cameraId } = observation.face;
    if (taken.has(observation) || mine.some(({ face }) => face.cameraId === cameraId)) continue;
    taken.add(observation);
    views.set(subject, [...mine, observation]);
  }
  return views;
}
