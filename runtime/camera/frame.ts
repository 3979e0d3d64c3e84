import type { RawFrame } from '../../core/types.js';
import type { Slot } from './pool.js';

/** A frame that gives its slot back when closed. */
export function frameOf(slot: Slot, about: Omit<RawFrame, 'pixels' | 'close'>): RawFrame {
  return { ...about, pixels: slot.pixels, close: () => slot.release() };
}
