/**
 * Which hand-placed points of the London set's 189-point template mean which vertex of the head
 * model. A row: the vertex (ICT-FaceKit's Multi-PIE 68 list), the template points whose mean it is,
 * and how far that mean can be trusted (brow and nose outlines follow hair and shading, not bone).
 */
export const PHOTO_POINTS: readonly (readonly [
  vertex: number,
  points: readonly number[],
  weight: number,
])[] = [
  // Eyes: corners, upper and lower lids; the person's right eye first.
  [1507, [18], 1],
  [1542, [19, 20], 1],
  [1537, [20, 21], 1],
  [1528, [22], 1],
  [1518, [29, 30], 1],
  [1511, [28, 29], 1],
  [3742, [23], 1],
  [3751, [24, 25], 1],
  [3756, [25, 26], 1],
  [3721, [27], 1],
  [3725, [32, 33], 1],
  [3732, [31, 32], 1],
  // Brows: the middle between upper and lower edge.
  [268, [71], 0.6],
  [493, [72, 73, 83, 83], 0.6],
  [1914, [74, 84], 0.6],
  [2044, [75, 75, 76, 84], 0.6],
  [1401, [76], 0.6],
  [3615, [77], 0.6],
  [4240, [78, 78, 77, 85], 0.6],
  [4114, [79, 85], 0.6],
  [2734, [80, 81, 86, 86], 0.6],
  [2509, [82], 0.6],
  // Nose: tip, base, wings.
  [4857, [54, 60], 0.5],
  [1147, [55], 1],
  [1140, [63, 64], 0.6],
  [3360, [68, 69], 0.6],
  // Lips: outer line, then the line between them.
  [5708, [87], 1],
  [5695, [88], 1],
  [2081, [89], 1],
  [0, [90], 1],
  [4275, [91], 1],
  [6200, [92], 1],
  [6213, [93], 1],
  [6346, [108], 1],
  [6461, [107], 1],
  [5518, [106], 1],
  [5957, [105], 1],
  [5841, [104], 1],
  [5711, [95, 100], 1],
  [5533, [96, 101], 1],
  [6216, [97, 102], 1],
  // Chin.
  [966, [129], 0.6],
];

/** Template points on the outline of jaw and cheeks, where the surface turns away. */
export const OUTLINE_POINTS: readonly number[] = [125, 126, 127, 128, 130, 131, 132, 133];

/** Centres of the pupils and rings around the irises, right eye of the person first. */
export const IRIS_POINTS = [
  { pupil: 0, ring: [2, 3, 4, 5, 6, 7, 8, 9] },
  { pupil: 1, ring: [10, 11, 12, 13, 14, 15, 16, 17] },
] as const;
