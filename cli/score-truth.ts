import type { RigCalibration } from '../calibration/index.js';
import type { Face } from '../core/types.js';
import type { Model } from '../encoder/index.js';
import type { PipelineResult } from '../runtime/index.js';
import { metricsOf, type Metrics, type Scored } from '../training/metrics.js';
import { scoreAlone } from './score-views.js';
import {
  labelOf,
  personOf,
  trueInstants,
  type TrueInstant,
  type TruePerson,
} from './truth-people.js';

/** A truth further away in time than this says nothing about a set. */
const MOST_APART_MS = 100;
type Short = Pick<Metrics, 'n' | 'found' | 'accuracy' | 'balancedAccuracy'> & {
  /** Of the found ones alone. */
  readonly accuracyWhereFound: number;
};

/** What holding scores against a recording's truth gave. */
export interface TruthResult {
  /** One score from all cameras that saw the person. */
  readonly fused: Metrics & Short;
  /** What each camera's view alone would have said. */
  readonly cameras: Readonly<Record<string, Short>>;
  /** Groups that held faces of two people. */
  readonly mixedGroups: number;
}

/**
 * Holds scores against the truth inside a recording. An example is a person at a frame set, at least
 * half into an expression or neutral; where the person was not found the answer counts as wrong.
 */
export class TruthReport {
  readonly #truth: readonly TrueInstant[];
  readonly #rig: RigCalibration;
  readonly #fused: Scored[] = [];
  readonly #single: Map<string, Scored[]>;
  #labels: readonly string[] = [];
  #mixed = 0;
  #next = 0;

  /** @param truth by time; entries without people as `clmex synth` writes them are left out. */
  constructor(
    truth: readonly { readonly atMs: number; readonly value: unknown }[],
    rig: RigCalibration,
  ) {
    this.#truth = trueInstants(truth);
    this.#rig = rig;
    this.#single = new Map(Object.keys(rig.cameras).map((id) => [id, []]));
  }

  push(result: PipelineResult, model: Model): void {
    this.#labels = model.manifest.labels;
    const people = this.#peopleAt(result.atMs);
    const owners = new Map<PipelineResult['groups'][number], TruePerson | undefined>();
    for (const group of result.groups) owners.set(group, this.#ownerOf(group.group.faces, people));
    for (const person of people) {
      const label = labelOf(person, this.#labels);
      if (label < 0) continue;
      const group = result.groups.find((candidate) => owners.get(candidate) === person);
      this.#count(label, group, result, model);
    }
  }

  result(): TruthResult {
    const fused = metricsOf(this.#labels, this.#fused);
    return {
      fused: { ...fused, ...short(fused) },
      cameras: Object.fromEntries(
        [...this.#single].map(([id, examples]) => [id, short(metricsOf(this.#labels, examples))]),
      ),
      mixedGroups: this.#mixed,
    };
  }

  #count(
    label: number,
    group: PipelineResult['groups'][number] | undefined,
    result: PipelineResult,
    model: Model,
  ): void {
    const score = result.scores.find(({ subjectId }) => subjectId === group?.group.subjectId);
    const probabilities = score && this.#labels.map((name) => score.scores[name]!);
    this.#fused.push({ label, probabilities });
    for (const [cameraId, examples] of this.#single) {
      if (!result.cameraIds.includes(cameraId)) continue;
      const i = group?.group.faces.findIndex((face) => face.cameraId === cameraId) ?? -1;
      const probabilities = i < 0 ? undefined : scoreAlone(model, group!, i);
      examples.push({ label, probabilities });
    }
  }

  #peopleAt(atMs: number): readonly TruePerson[] {
    const distance = (i: number): number => Math.abs((this.#truth[i]?.atMs ?? Infinity) - atMs);
    while (distance(this.#next + 1) <= distance(this.#next) && this.#next + 1 < this.#truth.length)
      this.#next++;
    return distance(this.#next) <= MOST_APART_MS ? this.#truth[this.#next]!.people : [];
  }

  /** Whom most of the faces show. */
  #ownerOf(faces: readonly Face[], people: readonly TruePerson[]): TruePerson | undefined {
    const votes = new Map<TruePerson, number>();
    for (const face of faces) {
      const person = personOf(face, people, this.#rig);
      if (person !== undefined) votes.set(person, (votes.get(person) ?? 0) + 1);
    }
    if (votes.size > 1) this.#mixed++;
    return [...votes].sort(([, a], [, b]) => b - a)[0]?.[0];
  }
}

function short({ n, found, accuracy, balancedAccuracy }: Metrics): Short {
  const accuracyWhereFound = found === 0 ? 0 : (accuracy * n) / found;
  return { n, found, accuracy, balancedAccuracy, accuracyWhereFound };
}
