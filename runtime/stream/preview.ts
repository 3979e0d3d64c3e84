import type { PreviewFace } from '../../core/protocol.js';
import type { Face } from '../../core/types.js';

/** What of a face is drawn over its picture. */
export function previewFace(face: Face, subjectId?: string): PreviewFace {
  const { trackId, box, pose, quality, landmarks } = face;
  const points: number[] = [];
  for (let i = 0; i + 2 < landmarks.length; i += 3) {
    points.push(Math.round(landmarks[i]!), Math.round(landmarks[i + 1]!));
  }
  return {
    trackId,
    ...(subjectId !== undefined && { subjectId }),
    box,
    yawDeg: pose.yawDeg,
    quality,
    points,
  };
}
