import { ClmexError } from '../../core/errors.js';
import type { FusionView } from '../../encoder/fusion.js';
import type { RenderedSet } from './rendered.js';

/** One view of a labelled moment. */
export interface LabelledView extends FusionView {
  readonly crop: Uint8Array;
  /** N × 3 of the 468- or 478-point mesh; any unit, as only their shape counts. */
  readonly landmarks: Float32Array;
  /** What a blendshape model reads from the landmarks, standardised; see withBlendshapes. */
  readonly blendshapes?: Float32Array | undefined;
}

/** What is known of a group without its pictures. */
export interface GroupInfo {
  readonly personId: string;
  /** Index into the set's labels. */
  readonly label: number;
  readonly shapes?: readonly number[] | undefined;
  /** Its share in the loss of labels, 1 where absent. */
  readonly weight?: number | undefined;
}

export interface LabelledGroup extends GroupInfo {
  /** What a blendshape model reads in its most frontal view, standardised; see withBlendshapes. */
  readonly frontal?: Float32Array | undefined;
  readonly views: readonly LabelledView[];
}

/** Labelled moments seen from one or more sides: what every reader of data gives. */
export interface GroupSet {
  readonly labels: readonly string[];
  readonly size: number;
  info(index: number): GroupInfo;
  read(index: number): LabelledGroup;
}

/** A rendered set as labelled groups. */
export function renderedGroups(set: RenderedSet, labels: readonly string[]): GroupSet {
  const indexOf = (name: string): number => {
    const index = labels.indexOf(name);
    if (index >= 0) return index;
    throw new ClmexError('invalid-argument', 'the set has a label the model does not know', {
      field: 'labels',
      value: name,
      allowed: labels.join(', '),
    });
  };
  return {
    labels,
    size: set.groups,
    info: (index) => {
      const { personId, label, shapes } = set.capture(index);
      return { personId, label: indexOf(label), shapes };
    },
    read: (index) => {
      const { personId, label, shapes, views } = set.read(index);
      return { personId, label: indexOf(label), shapes, views };
    },
  };
}

/** Two sets one after the other; they speak of the same labels. */
export function joinGroups(first: GroupSet, second: GroupSet): GroupSet {
  const at = <T>(index: number, take: (set: GroupSet, own: number) => T): T =>
    index < first.size ? take(first, index) : take(second, index - first.size);
  return {
    labels: first.labels,
    size: first.size + second.size,
    info: (index) => at(index, (set, own) => set.info(own)),
    read: (index) => at(index, (set, own) => set.read(own)),
  };
}

export function listedGroups(
  labels: readonly string[],
  groups: readonly LabelledGroup[],
): GroupSet {
  return {
    labels,
    size: groups.length,
    info: (index) => groups[index]!,
    read: (index) => groups[index]!,
  };
}
