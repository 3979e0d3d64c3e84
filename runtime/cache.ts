import { homedir } from 'node:os';
import { join } from 'node:path';

/** $CLMEX_CACHE, $XDG_CACHE_HOME/clmex or ~/.cache/clmex. */
export function cacheDirectory(): string {
  const { CLMEX_CACHE, XDG_CACHE_HOME } = process.env;
  return CLMEX_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'clmex');
}
