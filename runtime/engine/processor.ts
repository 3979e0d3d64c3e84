import { readFileSync } from 'node:fs';

/** Channels ONNX Runtime's CPU keeps together: 8 with 256-bit registers on x64, else 16. */
export function channelBlock(): 8 | 16 {
  return process.arch === 'x64' && !/\bavx512f\b/.test(processorFlags()) ? 8 : 16;
}

function processorFlags(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}
