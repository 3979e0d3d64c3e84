import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ClmexError } from '../core/errors.js';

/** Where a package that clmex does not depend on may lie: beside clmex, or where the program runs. */
const places = (): string[] => [import.meta.url, pathToFileURL(join(process.cwd(), 'x.js')).href];

/** Directory-resolving `require` that finds a package which clmex can do without. */
export function findOptional(name: string): NodeJS.Require | undefined {
  for (const place of places()) {
    const require = createRequire(place);
    try {
      require.resolve(`${name}/package.json`);
      return require;
    } catch {
      // The next place may have it.
    }
  }
  return undefined;
}

/**
 * As {@link findOptional}, for a package that only some engines need.
 * @param name of the package. @param engine that needs it.
 * @throws ClmexError `unsupported` naming the package and the command that installs it.
 */
export function requireOptional(name: string, engine: string): NodeJS.Require {
  const require = findOptional(name);
  if (require !== undefined) return require;
  throw new ClmexError('unsupported', `the engine needs the package ${name}, which is not installed`, {
    field: 'engine.kind',
    value: engine,
    allowed: `npm install ${name}, or another engine`,
  }); // prettier-ignore
}
