// How does a kiosk react to a smile, once, and not to a flicker?   node samples/kiosk-reaction.mjs
import { connect } from 'clmex';

const HOLD_MS = 700;
const client = await connect(process.argv[2] ?? 'http://127.0.0.1:4747', { timeoutMs: Infinity });
const smilingSince = new Map();

client.on('subject', ({ kind, subject: { subjectId } }) => {
  if (kind === 'appeared') console.log(`welcome, ${subjectId}`);
  if (kind === 'left' && smilingSince.delete(subjectId)) console.log(`goodbye, ${subjectId}`);
});

client.on('scores', ({ subjectId, atMs, scores }) => {
  // Two thresholds, so that a score near one of them does not switch to and fro.
  if (scores.happiness < 0.4) smilingSince.delete(subjectId);
  else if (scores.happiness > 0.6 && !smilingSince.has(subjectId))
    smilingSince.set(subjectId, atMs);
  if (atMs - smilingSince.get(subjectId) >= HOLD_MS) {
    smilingSince.set(subjectId, Infinity);
    console.log(`${subjectId} smiles: show the fireworks`);
  }
});
