import type { Vec3 } from '../../core/geometry.js';
import { GATE, locate, misfit, type Observation, type Spread } from './observation.js';

/** Faces that fit one head, at most one a camera, best-supported heads first. */
export function cluster(observations: readonly Observation[], spread: Spread): Observation[][] {
  const free = new Set(observations);
  const heads: Observation[][] = [];
  for (let best = bestHead(free, spread); best !== undefined; best = bestHead(free, spread)) {
    for (const observation of best) free.delete(observation);
    heads.push(best);
  }
  for (const alone of free) heads.push([alone]);
  return heads;
}

/** The head, proposed by some pair of views, that gathers the most support; undefined without one. */
function bestHead(free: ReadonlySet<Observation>, spread: Spread): Observation[] | undefined {
  let best: { views: Observation[]; support: number } | undefined;
  const all = [...free];
  for (const [i, a] of all.entries()) {
    for (const b of all.slice(i + 1)) {
      if (a.face.cameraId === b.face.cameraId) continue;
      const position = locate([a, b]);
      if (!fits(a, b, position, spread)) continue;
      const candidate = gather(all, a, position, spread);
      if (best === undefined || candidate.support > best.support) best = candidate;
    }
  }
  return best?.views;
}

function fits(a: Observation, b: Observation, position: Vec3, spread: Spread): boolean {
  return (
    misfit(a, position, b.rotation, spread) < GATE && misfit(b, position, a.rotation, spread) < GATE
  );
}

/** Each camera's best face for a head at `position` that looks as `a` says. */
function gather(
  all: readonly Observation[],
  a: Observation,
  position: Vec3,
  spread: Spread,
): { views: Observation[]; support: number } {
  const byCamera = new Map<string, { observation: Observation; cost: number }>();
  for (const observation of all) {
    const cost = misfit(observation, position, a.rotation, spread);
    const { cameraId } = observation.face;
    if (cost < (byCamera.get(cameraId)?.cost ?? GATE))
      byCamera.set(cameraId, { observation, cost });
  }
  const chosen = [...byCamera.values()];
  return {
    views: chosen.map(({ observation }) => observation),
    support: chosen.reduce((sum, { cost }) => sum + GATE - cost, 0),
  };
}
