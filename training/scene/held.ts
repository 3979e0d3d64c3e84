import { add, cross, normalize, scale, type Vec3 } from '../../core/geometry.js';
import { circle, loft, tube, type Point, type Solid } from './loft.js';
import type { Random } from './random.js';

type Rgb = Solid['color'];

/** Vertices of the head model: between the lips, below the chin, outer and inner corners of both eyes. */
const [MOUTH, CHIN] = [5517, 966];
const EYE_CORNERS = [1507, 1528, 3721, 3742] as const;

/** A palm before a face: where its middle is, where its fingers point and what it faces. */
interface Grip {
  readonly at: Vec3;
  readonly fingers: Vec3;
  readonly palm: Vec3;
  /** How far each joint of a finger is bent, radians. */
  readonly curl: number;
}

/** A hand of the person's left side: `at` from a place of the face. */
interface Touch extends Grip {
  readonly from: 'mouth' | 'chin' | 'eyes';
}

const TOUCHES: readonly Touch[] = [
  { from: 'mouth', at: [3, -2.4, 2.4], fingers: [-0.8, 0.6, 0], palm: [0, 0.1, -1], curl: 0.2 },
  { from: 'chin', at: [1.5, -2.6, 2.6], fingers: [-0.5, 0.85, 0], palm: [0, 0.3, -1], curl: 0.55 },
  { from: 'mouth', at: [8, 0, -5], fingers: [0, 1, -0.1], palm: [-1, 0, -0.2], curl: 0.12 },
  { from: 'eyes', at: [4, -6.5, 3.4], fingers: [-0.2, 1, 0], palm: [0, 0, -1], curl: 0.15 },
  { from: 'eyes', at: [6, 4.5, 3.2], fingers: [-0.9, 0.4, 0], palm: [0, -0.1, -1], curl: 0.2 },
];

/**
 * What a person holds before the face at one moment: a hand on mouth, chin, cheek, eye or brow, a cup
 * or a telephone with the hand that holds it. In head axes, centimetres.
 * @param head the person's vertices at rest
 * @param skin linear RGB of the hand
 */
export function heldObjects(head: Float32Array, skin: Rgb, random: Random): Solid[] {
  const point = (vertex: number): Vec3 => [head[3 * vertex]!, head[3 * vertex + 1]!, head[3 * vertex + 2]!]; // prettier-ignore
  const places = {
    mouth: point(MOUTH),
    chin: point(CHIN),
    eyes: scale(EYE_CORNERS.map(point).reduce(add), 1 / EYE_CORNERS.length),
  };
  const side = random.chance(0.5) ? 1 : -1;
  const near = (from: Vec3, [x, y, z]: Vec3): Vec3 => [
    from[0] + side * x + 0.7 * random.normal(),
    from[1] + y + 0.7 * random.normal(),
    from[2] + z + 0.3 * Math.abs(random.normal()),
  ];
  const about = ([x, y, z]: Vec3): Vec3 =>
    normalize([side * x + 0.15 * random.normal(), y + 0.15 * random.normal(), z + 0.15 * random.normal()]); // prettier-ignore
  const varied = (from: Vec3, { at, fingers, palm, curl }: Grip): Grip =>
    ({ at: near(from, at), fingers: about(fingers), palm: about(palm), curl }); // prettier-ignore
  const hand = (grip: Grip): Solid => makeHand(grip, side, skin, random);

  const held = random.pick([...TOUCHES, 'cup', 'telephone'] as const);
  if (held === 'cup') {
    const [radius, length] = [random.uniform(3.4, 4.6), random.uniform(8, 12)];
    const tilt = random.uniform(0.1, 1.2);
    const down: Vec3 = [0, -Math.cos(tilt), Math.sin(tilt)];
    const rim = add(places.mouth, [0, radius * Math.sin(tilt) - 0.3, radius * Math.cos(tilt) + 0.3]); // prettier-ignore
    const middle = add(rim, scale(down, length / 2));
    const grip = varied(middle, { at: [radius + 1.2, 0, 0], fingers: [0, 0.2, 1], palm: [-1, 0, 0], curl: 0.6 }); // prettier-ignore
    return [makeCup(rim, down, radius, length, random), hand(grip)];
  }
  if (held === 'telephone') {
    const calls = random.chance(0.6);
    const at = near(places.mouth, calls ? [8.4, 4.5, -5.5] : [3, -5, 18]);
    const up = about(calls ? [0.1, 1, -0.3] : [0, 1, -0.3]);
    const facing = about(calls ? [-1, 0, 0] : [0, 0.3, -1]);
    const grip = { at: add(at, scale(facing, -1.6)), fingers: up, palm: facing, curl: 0.25 };
    return [makePhone(at, up, facing), hand(grip)];
  }
  return [hand(varied(places[held.from], held))];
}

/** Heads are so much higher than wide. */
const TALL = 1.25;

/**
 * Somebody's head or shoulder between a face and a camera: covers the picture from one side, at most
 * a little over half of the face. In head axes, centimetres.
 * @param camera where the camera is
 */
export function makePasser(camera: Vec3, random: Random): Solid {
  const share = random.uniform(0.35, 0.75);
  const radius = random.uniform(7, 13);
  const ahead = normalize(camera);
  const right = normalize(cross([0, 1, 0], ahead));
  const up = cross(ahead, right);
  // A face of ±9 cm looks so large at this share of the way to the camera.
  const covers = 9 * (1 - share);
  const angle = random.uniform(0, 2 * Math.PI);
  const reach = radius * Math.hypot(Math.cos(angle), TALL * Math.sin(angle));
  const offset = reach + covers * random.uniform(-0.25, 0.9);
  const middle = add(
    scale(camera, share),
    add(scale(right, offset * Math.cos(angle)), scale(up, offset * Math.sin(angle))),
  );
  const positions: number[] = [];
  const triangles: number[] = [];
  const rings = Array.from({ length: 13 }, (_, i) => {
    const polar = (Math.PI * i) / 12;
    const [y, across] = [TALL * radius * Math.cos(polar), radius * Math.sin(polar)];
    return circle((sine, cosine): Point => [middle[0] + across * sine, middle[1] + y, middle[2] + across * cosine]); // prettier-ignore
  });
  loft(rings, positions, triangles);
  return solid(positions, triangles, randomColor(random));
}

/** Segments of a finger from the knuckle, centimetres. */
const FINGERS = [
  { x: -3, base: 8.4, segments: [3, 2, 1.8], radius: 0.75 },
  { x: -1, base: 9.2, segments: [4, 2.6, 2], radius: 0.85 },
  { x: 1, base: 9.3, segments: [4.3, 2.9, 2], radius: 0.9 },
  { x: 3, base: 8.9, segments: [3.9, 2.4, 2], radius: 0.85 },
] as const;
/** Rings of palm and wrist, from the knuckles down: height, half width, half depth. */
const PALM: readonly (readonly [number, number, number])[] = [
  [9.8, 0.1, 0.1],
  [9.6, 3.4, 0.9],
  [8.4, 4.1, 1.2],
  [5.5, 4.1, 1.5],
  [2.5, 3.6, 1.7],
  [0, 2.8, 1.7],
  [-3, 2.7, 2],
];
const PALM_MIDDLE = 5;

function makeHand(grip: Grip, side: number, skin: Rgb, random: Random): Solid {
  const positions: number[] = [];
  const triangles: number[] = [];
  loft(
    PALM.map(([y, x, z]) => circle((sine, cosine): Point => [x * sine, y, z * cosine], 16)),
    positions,
    triangles,
  );
  const spread = random.uniform(0.02, 0.14);
  for (const { x, base, segments, radius } of FINGERS) {
    const line: Point[] = [[x, base - 1, 0]];
    let [at, bent] = [[x, base, 0] as Vec3, 0];
    line.push(at);
    for (const length of segments) {
      bent += grip.curl * random.uniform(0.7, 1.3);
      const lean = (spread * x) / 2;
      at = add(at, [
        length * Math.sin(lean),
        length * Math.cos(lean) * Math.cos(bent),
        -length * Math.sin(bent),
      ]);
      line.push(at);
    }
    const tip = add(at, scale(add(at, scale(line.at(-2)!, -1)), 0.15));
    tube([...line, tip], (i) => (i > line.length - 1 ? 0.15 : radius * (1 - 0.06 * i)), positions, triangles, 10); // prettier-ignore
  }
  // A right hand that faces its owner has its thumb on the owner's right.
  const thumb: Point[] = [
    [side * 3, 2.5, -0.3],
    [side * 4.6, 4.5, -0.9],
    [side * 5.4, 7, -1.4],
    [side * 5.6, 9, -1.7],
    [side * 5.6, 9.4, -1.8],
  ];
  tube(thumb, (i) => [1.5, 1.2, 1.05, 0.85, 0.15][i]!, positions, triangles, 10);

  const placed = placedBy(positions, [0, PALM_MIDDLE, -1.2], grip.at, grip.fingers, grip.palm);
  const wrist = placed(0, -2, 0);
  const along = normalize(add(scale(grip.fingers, -0.8), [side * 0.35, -1, 0.1]));
  tube(
    [0, 6, 14, 24].map((length) => add(wrist, scale(along, length))),
    (i) => [2.4, 2.7, 3.3, 3.8][i]!,
    positions,
    triangles,
    12,
  );
  const tone = random.uniform(0.8, 1.05);
  return solid(positions, triangles, [skin[0] * tone, skin[1] * tone, skin[2] * tone]);
}

function makeCup(rim: Vec3, down: Vec3, radius: number, length: number, random: Random): Solid {
  const positions: number[] = [];
  const triangles: number[] = [];
  const narrows = random.uniform(0.7, 1);
  loft(
    [
      [0, 1],
      [-length, narrows],
      [-length, 0.05],
    ].map(([y, share]) =>
      circle((sine, cosine): Point => [radius * share! * sine, y!, radius * share! * cosine]),
    ),
    positions,
    triangles,
  );
  placedBy(positions, [0, 0, 0], rim, scale(down, -1), [0, 0, -1]);
  return solid(positions, triangles, randomColor(random));
}

const PHONE = { halfWidth: 3.6, halfLength: 7.4, halfDepth: 0.4, tone: 0.02 };

function makePhone(at: Vec3, up: Vec3, facing: Vec3): Solid {
  const positions: number[] = [];
  const triangles: number[] = [];
  const { halfWidth, halfLength, halfDepth, tone } = PHONE;
  const corner = (value: number): number => Math.sign(value) * Math.abs(value) ** 0.25;
  const outline = (y: number, share: number): Point[] =>
    circle((sine, cosine): Point => [halfWidth * share * corner(sine), y, halfDepth * share * corner(cosine)]); // prettier-ignore
  loft(
    [
      outline(halfLength, 0.05),
      outline(halfLength, 1),
      outline(-halfLength, 1),
      outline(-halfLength, 0.05),
    ],
    positions,
    triangles,
  );
  placedBy(positions, [0, 0, 0], at, up, facing);
  return solid(positions, triangles, [tone, tone, tone]);
}

/**
 * Moves `origin` to `at`, +y to `up` and −z to about `facing`; changes `positions`.
 * @returns the same for one point
 */
function placedBy(positions: number[], origin: Vec3, at: Vec3, up: Vec3, facing: Vec3) {
  const x = normalize(cross(facing, up));
  const z = cross(x, up);
  const move = (px: number, py: number, pz: number): Vec3 => {
    const [u, v, w] = [px - origin[0], py - origin[1], pz - origin[2]];
    return add(at, add(scale(x, u), add(scale(up, v), scale(z, w))));
  };
  for (let i = 0; i < positions.length; i += 3) {
    const moved = move(positions[i]!, positions[i + 1]!, positions[i + 2]!);
    for (let k = 0; k < 3; k++) positions[i + k] = moved[k]!;
  }
  return move;
}

function randomColor(random: Random): Rgb {
  const hue = random.next() * 2 * Math.PI;
  const value = Math.exp(random.uniform(-3.5, -0.3));
  const [r, g, b] = [0, 2.09, 4.19].map((shift) => value * (1 + 0.4 * Math.sin(hue + shift)));
  return [r!, g!, b!];
}

function solid(positions: number[], triangles: number[], color: Rgb): Solid {
  return {
    positions: Float32Array.from(positions),
    triangles: Uint32Array.from(triangles),
    color,
  };
}
