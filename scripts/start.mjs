// npm start: builds if needed, then is `clmex start` on the sample, in this very process, so that signals reach it.
import './build-if-needed.mjs';

process.argv.push('start', '--config', 'samples/rig.json');
await import('../dist/cli.js');
