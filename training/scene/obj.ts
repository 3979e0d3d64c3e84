import { readFile } from 'node:fs/promises';
import { ClmexError } from '../../core/errors.js';

/** A Wavefront mesh: polygons cut into triangles, one part a material. */
export interface ObjMesh {
  /** x, y, z a vertex, in the file's unit. */
  readonly positions: Float32Array;
  /** u, v a vertex; the last one named by a face where a vertex has several. */
  readonly uv: Float32Array;
  /** Three vertex indices a triangle, by material; '' where the file names none. */
  readonly parts: ReadonlyMap<string, Uint32Array>;
}

/** @throws ClmexError `not-found` where the file cannot be read. */
export async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ClmexError('not-found', 'cannot read a mesh', {
      field: 'data',
      value: path,
      allowed: 'a folder with ict-facekit/, london/ and makehuman-hair/; CLMEX_DATA may name it',
      cause,
    });
  });
}

/** Reads the `v`, `vt`, `usemtl` and `f` lines. */
export function parseObj(text: string): ObjMesh {
  const positions: number[] = [];
  const coordinates: number[] = [];
  const parts = new Map<string, number[]>();
  let part: number[] | undefined;
  const uv: number[] = [];
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[0] === 'v') positions.push(Number(fields[1]), Number(fields[2]), Number(fields[3]));
    else if (fields[0] === 'vt') coordinates.push(Number(fields[1]), Number(fields[2]));
    else if (fields[0] === 'usemtl') part = partOf(parts, fields[1] ?? '');
    else if (fields[0] === 'f') {
      part ??= partOf(parts, '');
      const corners = fields.slice(1).map((corner) => {
        const [vertex = '1', texture = ''] = corner.split('/');
        const v = Number(vertex) - 1;
        if (texture !== '') {
          uv[2 * v] = coordinates[2 * (Number(texture) - 1)]!;
          uv[2 * v + 1] = coordinates[2 * (Number(texture) - 1) + 1]!;
        }
        return v;
      });
      for (let i = 2; i < corners.length; i++) part.push(corners[0]!, corners[i - 1]!, corners[i]!);
    }
  }
  const flatUv = new Float32Array((positions.length / 3) * 2);
  uv.forEach((value, i) => (flatUv[i] = value));
  return {
    positions: Float32Array.from(positions),
    uv: flatUv,
    parts: new Map([...parts].map(([name, indices]) => [name, Uint32Array.from(indices)])),
  };
}

/** Only the `v` lines: a shape that shares another mesh's topology. */
export function parsePositions(text: string, count: number, path: string): Float32Array {
  const positions = new Float32Array(count * 3);
  let at = 0;
  for (let start = 0; start < text.length;) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    if (text.charCodeAt(start) === V && text.charCodeAt(start + 1) === SPACE) {
      at = parseFields(text, start + 2, end, positions, at);
    }
    start = end + 1;
  }
  if (at === count * 3) return positions;
  throw new ClmexError('invalid-file', 'a shape of another topology', {
    field: path,
    value: at / 3,
    allowed: `${String(count)} vertices`,
  });
}

const [V, SPACE, MINUS, POINT, ZERO] = [118, 32, 45, 46, 48];

/** Three decimal numbers, digit by digit: a model has ten million of them. */
function parseFields(
  text: string,
  from: number,
  to: number,
  out: Float32Array,
  first: number,
): number {
  let i = from;
  let at = first;
  for (let field = 0; field < 3; field++) {
    while (i < to && text.charCodeAt(i) === SPACE) i++;
    const start = i;
    let [value, scale, sign] = [0, 0, 1];
    let plain = true;
    for (; i < to; i++) {
      const code = text.charCodeAt(i);
      if (code >= ZERO && code <= ZERO + 9) {
        value = value * 10 + code - ZERO;
        if (scale > 0) scale *= 10;
      } else if (code === POINT) scale = 1;
      else if (code === MINUS && i === start) sign = -1;
      else if (code <= SPACE) break;
      else plain = false; // an exponent
    }
    if (i === start) return at;
    out[at++] = plain ? (sign * value) / (scale || 1) : Number(text.slice(start, i));
  }
  return at;
}

function partOf(parts: Map<string, number[]>, name: string): number[] {
  let part = parts.get(name);
  if (part === undefined) parts.set(name, (part = []));
  return part;
}
