// How does a React page show everybody's expression?   <Mood url="…" />
import { createElement as h } from 'react';
import { useScores } from 'clmex/react';

export function Mood({ url = 'http://127.0.0.1:4747' }) {
  const { scores, connection } = useScores(url);
  if (connection.state !== 'connected') return h('p', null, connection.state, ' …');
  if (scores.length === 0) return h('p', null, 'Come closer!');
  return h(
    'ul',
    null,
    scores.map(({ subjectId, top, confidence }) =>
      h('li', { key: subjectId, style: { opacity: confidence } }, `${subjectId}: ${top}`),
    ),
  );
}
