import { readFileSync } from 'node:fs';

let answer: boolean | undefined;

/**
 * Whether int8 products may saturate on this processor: x64 without VNNI instructions adds pairs of
 * them in 16 bits. Where nothing tells, they may.
 */
export function int8SumsMaySaturate(): boolean {
  answer ??= process.arch === 'x64' && !/\bavx(512)?_vnni\b/.test(processorFlags());
  return answer;
}

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
