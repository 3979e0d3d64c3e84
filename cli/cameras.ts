import type { Command } from 'commander';
import { listDevices, type DeviceList } from '../runtime/camera/devices.js';
import { printResult } from './output.js';

/** `clmex cameras`: the video devices of this machine. */
export function register(program: Command): void {
  program
    .command('cameras')
    .description('List video devices and their modes; warn where a USB bus is too narrow.')
    .option('--json', 'print one JSON document', false)
    .action(async ({ json }: { json: boolean }) => {
      const list = await listDevices();
      printResult(json, list, () => textOf(list));
    });
}

function textOf({ devices, warnings }: DeviceList): string {
  if (devices.length === 0) return 'no video devices';
  const lines = devices.flatMap(({ path, name, usb, modes, problem }) => [
    `${path}  ${name}${usb === undefined ? '' : `  (USB bus ${usb.bus}, ${usb.mbitPerS} Mbit/s)`}`,
    ...(problem === undefined ? [] : [`  ${problem}`]),
    ...modes.map(({ format, sizes }) => `  ${format}: ${sizes.join(' ')}`),
  ]);
  return [...lines, ...warnings.map((warning) => `warning: ${warning}`)].join('\n');
}
