import { z } from 'zod';

const LEAST_DELAY_MS = 5;

export const syncSchema = z.strictObject({
  rateHz: z
    .union([z.literal('auto'), z.number().min(0.1).max(240)])
    .default('auto')
    .describe('Frame sets a second; auto: the rate of the slowest camera of a kind'),
  toleranceMs: z
    .number()
    .min(0.1)
    .max(10_000)
    .default(100)
    .describe("Most a frame may be captured away from its set's instant; at most half a period"),
  maxWaitMs: z
    .number()
    .min(1)
    .max(10_000)
    .default(250)
    .describe('A set leaves at the latest so long after its instant, with whoever is there'),
  policy: z
    .enum(['partial', 'complete'])
    .default('partial')
    .describe('partial: sets leave with the cameras they have; complete: only whole ones leave'),
  leastDelayMs: z
    .union([z.number().min(0).max(1000), z.record(z.string(), z.number().min(0).max(1000))])
    .default(LEAST_DELAY_MS)
    .describe(
      'What the fastest frame takes from exposure to arrival, of all cameras or by camera id: no clock can tell it from an offset',
    ),
});

export type SyncConfig = z.infer<typeof syncSchema>;

/** The assumed least delay of one camera. */
export function leastDelayOf({ leastDelayMs }: SyncConfig, cameraId: string): number {
  return typeof leastDelayMs === 'number'
    ? leastDelayMs
    : (leastDelayMs[cameraId] ?? LEAST_DELAY_MS);
}
