// How long did each visitor stay, and what did they mostly show?   node samples/visits.mjs
import { connect } from 'clmex';

const client = await connect(process.argv[2] ?? 'http://127.0.0.1:4747');
const sums = new Map();

client.on('scores', ({ subjectId, scores }) => {
  const sum = sums.get(subjectId) ?? {};
  for (const [label, share] of Object.entries(scores)) sum[label] = (sum[label] ?? 0) + share;
  sums.set(subjectId, sum);
});

client.on('subject', ({ kind, subject: { subjectId, firstMs, lastMs } }) => {
  if (kind !== 'left') return;
  const sum = Object.entries(sums.get(subjectId) ?? {}).sort(([, a], [, b]) => b - a);
  sums.delete(subjectId);
  console.log(
    `${subjectId}: ${((lastMs - firstMs) / 1000).toFixed(1)} s, mostly ${sum[0]?.[0] ?? 'unknown'}`,
  );
});
