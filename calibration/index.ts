export { parseRig, readRig, uprightCamera } from './rig.js';
export type { CameraCalibration, RigCalibration } from './rig.js';
export { distort, pixelRay, projectPoint, toCamera, toWorld, undistort } from './projection.js';
export type { Point2, Ray } from './projection.js';
export { distanceToRay, rayDistance, triangulate } from './triangulate.js';
export type { Mat3, Vec3 } from '../core/geometry.js';
