import { z } from 'zod';

const sizeSchema = z.strictObject({
  width: z.int().min(16).max(7680),
  height: z.int().min(16).max(7680),
});

const path = z.string().min(1);
const size = sizeSchema.optional().describe('Frames are scaled to this size');
const fps = z.number().min(0.1).max(240).optional().describe('Frame rate asked of the camera');
const hwaccel = z
  .enum(['auto', 'cuda', 'vaapi', 'qsv', 'drm', 'v4l2m2m', 'videotoolbox'])
  .optional()
  .describe('Hardware decoding by FFmpeg');
const realtime = z
  .boolean()
  .default(true)
  .describe('true: paced by the stamps; false: as fast as the consumer takes');
const loop = z.boolean().default(false).describe('Start again at the end (realtime only)');
const silenceMs = z
  .int()
  .min(200)
  .max(120_000)
  .default(5000)
  .describe('Without a frame for this long the source is opened again');

const videoSchema = z.strictObject({
  kind: z.literal('video').describe('Any file FFmpeg reads'),
  path,
  timestamps: path
    .optional()
    .describe('CSV with the header `seconds`: capture time of each frame, a row a frame'),
  realtime,
  loop,
  size,
  hwaccel,
});

const recordingSchema = z.strictObject({
  kind: z.literal('recording').describe('An MCAP file written by `clmex record` or `clmex synth`'),
  path,
  cameraId: z.string().min(1).optional().describe('Camera inside the file; default: this id'),
  realtime,
  loop,
});

const v4l2Schema = z.strictObject({
  kind: z.literal('v4l2').describe('A Linux video device through FFmpeg'),
  device: z.string().regex(/^\/dev\/[\w./-]+$/, 'must be a path below /dev'),
  size,
  fps,
  format: z
    .enum(['mjpeg', 'yuyv422', 'h264', 'nv12', 'uyvy422', 'rgb24', 'bgr24'])
    .optional()
    .describe('Pixel or stream format asked of the device'),
  hwaccel,
  silenceMs,
});

const rtspSchema = z.strictObject({
  kind: z.literal('rtsp').describe('A network stream through FFmpeg'),
  url: z
    .string()
    .regex(/^(rtsps?|https?|udp|rtp|srt|tcp):\/\/\S+$/, 'must be an rtsp, http, udp, … address'),
  transport: z.enum(['tcp', 'udp']).default('tcp').describe('RTSP only'),
  ntp: z
    .boolean()
    .default(false)
    .describe(
      'RTSP: the camera keeps its clock by NTP; take capture times from its sender reports',
    ),
  size,
  hwaccel,
  silenceMs,
});

const gstreamerSchema = z.strictObject({
  kind: z.literal('gstreamer').describe('A GStreamer pipeline, e.g. for CSI cameras on Jetson'),
  pipeline: z
    .string()
    .min(1)
    .describe('Elements up to raw video, as for gst-launch-1.0, without a sink'),
  size,
  silenceMs,
});

const webcamSchema = z.strictObject({
  kind: z.literal('node-webcam').describe('Stills, one opening of the device a picture: slow'),
  device: z
    .string()
    .regex(/^[\w./:-]+$/, 'letters, digits and . / : - _')
    .optional(),
  size,
  everyMs: z.int().min(50).max(3_600_000).default(1000),
  silenceMs: silenceMs.default(20_000),
});

/** Where a camera's frames come from, by `kind`. */
const sourceSchema = z.discriminatedUnion('kind', [
  videoSchema,
  recordingSchema,
  v4l2Schema,
  rtspSchema,
  gstreamerSchema,
  webcamSchema,
]);

export const cameraSchema = z.strictObject({
  id: z.string().regex(/^[\w.-]{1,64}$/, 'letters, digits, dot, dash and underscore, at most 64'),
  source: sourceSchema,
  rotate: z
    .union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)])
    .default(0)
    .describe('Quarter turns clockwise that make the picture upright'),
});

export type Source = z.infer<typeof sourceSchema>;
export type SourceOf<K extends Source['kind']> = Extract<Source, { kind: K }>;
export type CameraConfig = z.infer<typeof cameraSchema>;
