// Builds when a source is newer than the last build; does nothing otherwise.
import { execSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SOURCES = [
  'core', 'cli', 'encoder', 'calibration', 'runtime', 'training', 'sdk', 'dashboard',
  'package.json', 'rollup.config.mjs', 'scripts/assemblyscript.mjs', 'tsconfig.json', 'tsconfig.build.json',
]; // prettier-ignore

const newest = (path) => {
  const stat = statSync(path);
  return stat.isDirectory()
    ? Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
    : stat.mtimeMs;
};

const built = existsSync('dist/.built') ? statSync('dist/.built').mtimeMs : 0;
if (SOURCES.filter((path) => existsSync(path)).some((path) => newest(path) > built)) {
  execSync('npm run build', { stdio: ['ignore', 'inherit', 'inherit'] });
}
