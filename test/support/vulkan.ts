import { existsSync } from 'node:fs';
import { it } from 'vitest';

/** SwiftShader, a Vulkan driver that computes on the CPU; Debian's chromium brings it. */
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const LOADERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64'];

/**
 * `it` for what runs on a GPU: on SwiftShader where chromium and libvulkan1 are installed; else it skips
 * with a line that says so, and fails under CI=true.
 */
export function itWithVulkan(name: string, test: () => Promise<void>, timeoutMs: number): void {
  const there =
    existsSync(DRIVER) && LOADERS.some((folder) => existsSync(`${folder}/libvulkan.so.1`));
  if (there) {
    it(
      name,
      async () => {
        const before = process.env['VK_DRIVER_FILES'];
        process.env['VK_DRIVER_FILES'] = DRIVER;
        try {
          await test();
        } finally {
          if (before === undefined) delete process.env['VK_DRIVER_FILES'];
          else process.env['VK_DRIVER_FILES'] = before;
        }
      },
      timeoutMs,
    );
  } else if (process.env['CI'] === 'true') {
    it(name, () => {
      throw new Error('no Vulkan: install chromium and libvulkan1');
    });
  } else {
    console.warn(`SKIPPED ${name}: no Vulkan (install chromium and libvulkan1)`);
    it.skip(name, test);
  }
}
