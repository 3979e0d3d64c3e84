// Who shows what, right now?   node samples/print-scores.mjs [http://127.0.0.1:4747]
import { connect } from 'clmex';

const client = await connect(process.argv[2] ?? 'http://127.0.0.1:4747');

for await (const { subjectId, top, confidence, views } of client.scores()) {
  const cameras = views.map(({ cameraId }) => cameraId).join(', ');
  console.log(`${subjectId}: ${top} ${Math.round(confidence * 100)} % (${cameras})`);
}
