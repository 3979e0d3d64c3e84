import { beforeAll, expect, it } from 'vitest';
import { EXPRESSION_LABELS } from '../../../core/types.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { FaceStage } from '../../../runtime/faces/faces.js';
import { CaptureRenderer, PORTRAIT_SIDE, type Capture } from '../../../training/scene/capture.js';
import { fitMesh, placeCanonical } from '../../../training/scene/mesh-fit.js';
import { CANONICAL_ORIGIN, CANONICAL_SCALE, MESH_POINTS } from '../../../training/scene/mesh468.js';
import { parseObj, readText } from '../../../training/scene/obj.js';
import { AVERAGE_IDENTITY } from '../../../training/scene/identity.js';
import { splitOf, Studio } from '../../../training/scene/people.js';
import { Random } from '../../../training/scene/random.js';
import { fitPhoto } from '../../../training/scene/skin-fit.js';
import { readPortraitLandmarks } from '../../../training/scene/skin.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';

describeWithData('rendered people', () => {
  let studio: Studio;
  let captures: Capture[];

  beforeAll(async () => {
    studio = await Studio.open(sharedData());
    const renderer = new CaptureRenderer(studio);
    const random = new Random(11);
    captures = [];
    for (const [i, label] of EXPRESSION_LABELS.slice(0, 4).entries()) {
      const person = await studio.person(studio.portraits('validation')[i % 2]!, i % 2);
      captures.push(await renderer.capture(person, label, 4, random));
    }
  }, 120_000);

  it('wear skins of which each belongs to one split, most to training', () => {
    const sizes = (['train', 'validation', 'test'] as const).map(
      (split) => studio.portraits(split).length,
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(80);
    expect(sizes[0]).toBeGreaterThan(50);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(8);
    expect(splitOf('045')).toBe('test');
  });

  it('fit the portraits they are taken from to about three millimetres', async () => {
    const { skin } = await studio.person('014', 0);
    expect(skin.fit.rmseCm).toBeLessThan(0.4);
    expect(Math.max(...skin.fit.identity.map(Math.abs))).toBeLessThan(4);
  });

  it('vary about the average of the training portraits, as the fits of these give it', async () => {
    const portraits = await readPortraitLandmarks(sharedData('london'));
    const fits = studio.portraits('train').map((id) => {
      const pixels = portraits.get(id)!.map(([x, y]) => [1024 * x, 1024 * y] as const);
      return fitPhoto(studio.model, pixels).identity;
    });
    AVERAGE_IDENTITY.forEach((stored, mode) => {
      const mean = fits.reduce((sum, fit) => sum + fit[mode]!, 0) / fits.length;
      expect(Math.abs(stored - mean), `mode ${String(mode)}`).toBeLessThan(0.01);
    });
  }, 60_000);

  it('are found by the face models, and seen as they stand, up to half profile', async () => {
    const stage = await FaceStage.create({
      engine: createOnnxRuntime(1),
      detector: 'auto',
      maxFaces: 1,
    });
    let seen = 0;
    for (const [i, { views }] of captures.entries()) {
      for (const [j, { pixels, pose, landmarks }] of views.entries()) {
        if (Math.abs(pose.yawDeg) > 45) continue;
        const cameraId = `${String(i)} ${String(j)}`;
        const frame = {
          cameraId,
          capturedAtMs: 0,
          width: PORTRAIT_SIDE,
          height: PORTRAIT_SIDE,
          pixels,
        };
        const [face] = await stage.push([frame]);
        expect(face, `face ${cameraId} at ${pose.yawDeg.toFixed(0)}°`).toBeDefined();
        expect(Math.abs(face!.pose.yawDeg - pose.yawDeg)).toBeLessThan(20);
        expect(Math.abs(face!.pose.rollDeg - pose.rollDeg)).toBeLessThan(8);
        expect(meanDistance(face!.landmarks, landmarks)).toBeLessThan(0.1 * faceHeight(landmarks));
        seen++;
      }
    }
    await stage.close();
    expect(seen).toBeGreaterThan(5);
  });

  it('are the same for the same seed', async () => {
    const renderer = new CaptureRenderer(studio);
    const person = await studio.person(studio.portraits('test')[0]!, 0);
    const first = await renderer.capture(person, 'anger', 1, new Random(5));
    const second = await renderer.capture(person, 'anger', 1, new Random(5));
    expect(second.views[0]!.pixels).toEqual(first.views[0]!.pixels);
  });

  it('carry the table of 468 points that the two meshes give', async () => {
    const canonical = parseObj(await readText(sharedData('mediapipe', 'canonical_face_model.obj')));
    const place = placeCanonical(studio.model, canonical);
    expect(place.scale).toBeCloseTo(CANONICAL_SCALE, 3);
    place.origin.forEach((value, k) => expect(value).toBeCloseTo(CANONICAL_ORIGIN[k]!, 3));
    const points = fitMesh(studio.model, canonical);
    const at = ({
      vertices,
      weights,
    }: {
      vertices: readonly number[];
      weights: readonly number[];
    }): number[] =>
      [0, 1, 2].map((k) =>
        vertices.reduce((sum, v, i) => sum + weights[i]! * studio.model.neutral[3 * v + k]!, 0),
      );
    points.forEach((point, i) => {
      const [computed, stored] = [at(point), at(MESH_POINTS[i]!)];
      expect(Math.hypot(...computed.map((value, k) => value - stored[k]!))).toBeLessThan(0.01);
    });
  });
});

function meanDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < b.length; i += 3) sum += Math.hypot(a[i]! - b[i]!, a[i + 1]! - b[i + 1]!);
  return sum / (b.length / 3);
}

function faceHeight(points: Float32Array): number {
  return Math.hypot(points[3 * 10]! - points[3 * 152]!, points[3 * 10 + 1]! - points[3 * 152 + 1]!);
}
