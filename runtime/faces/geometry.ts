import protobuf from 'protobufjs/light.js';
import { ClmexError } from '../../core/errors.js';

/** The metric average face that belongs to the landmark model. */
export interface FaceGeometry {
  /** 468 × 3 metres; x to the person's left, y up, z out of the face. */
  readonly points: Float64Array;
  /** Points that tell where the head is whatever the face does, with weights. */
  readonly basis: readonly { readonly index: number; readonly weight: number }[];
  /** Corners of the mesh's triangles, three indices each. */
  readonly triangles: readonly number[];
}

export const CANONICAL_POINTS = 468;
const METRES_PER_UNIT = 0.01;
/** Floats a vertex: position, then texture coordinates. */
const VERTEX = 5;

/** GeometryPipelineMetadata of MediaPipe's face geometry module, as far as it is read. */
const SCHEMA = {
  Metadata: { mesh: [1, 'Mesh'], basis: [2, 'Landmark', true] },
  Mesh: { vertices: [3, 'float', true], triangles: [4, 'uint32', true] },
  Landmark: { index: [1, 'uint32'], weight: [2, 'float'] },
} as const;

function metadataType(): protobuf.Type {
  const root = new protobuf.Root();
  for (const [name, fields] of Object.entries(SCHEMA)) {
    const type = new protobuf.Type(name);
    for (const [field, [id, of, repeated]] of Object.entries(fields as Fields))
      type.add(new protobuf.Field(field, id, of, repeated === true ? 'repeated' : undefined));
    root.add(type);
  }
  return root.lookupType('Metadata');
}
type Fields = Readonly<Record<string, readonly [number, string, boolean?]>>;

interface Metadata {
  readonly mesh?: { readonly vertices?: readonly number[]; readonly triangles?: readonly number[] };
  readonly basis?: readonly { readonly index?: number; readonly weight?: number }[];
}

/**
 * Reads `geometry_pipeline_metadata_landmarks.binarypb`.
 * @throws ClmexError `model-invalid` for anything else.
 */
export function readFaceGeometry(bytes: Uint8Array): FaceGeometry {
  let metadata: Metadata;
  try {
    metadata = metadataType().decode(bytes) as unknown as Metadata;
  } catch (cause) {
    throw new ClmexError('model-invalid', 'corrupt face geometry', { cause });
  }
  const vertices = metadata.mesh?.vertices ?? [];
  const triangles = metadata.mesh?.triangles ?? [];
  const basis = (metadata.basis ?? []).map(({ index = 0, weight = 0 }) => ({ index, weight }));
  const sound =
    vertices.length === CANONICAL_POINTS * VERTEX &&
    vertices.every(Number.isFinite) &&
    triangles.length % 3 === 0 &&
    triangles.every((index) => index < CANONICAL_POINTS) &&
    basis.length >= 6 &&
    basis.every(({ index, weight }) => index < CANONICAL_POINTS && weight > 0 && weight <= 1);
  if (!sound)
    throw new ClmexError('model-invalid', 'face geometry that does not fit the mesh', {
      value: { values: vertices.length, basis: basis.length },
      allowed: `${CANONICAL_POINTS} vertices of ${VERTEX} values, 6 or more weighted landmarks`,
    });
  const points = new Float64Array(CANONICAL_POINTS * 3);
  for (let i = 0; i < points.length; i++)
    points[i] = vertices[Math.floor(i / 3) * VERTEX + (i % 3)]! * METRES_PER_UNIT;
  return { points, basis, triangles };
}
