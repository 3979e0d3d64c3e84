const LABELS: Readonly<Record<string, string>> = {
  neutral: '#8593a8',
  happiness: '#ffc94d',
  sadness: '#5b95f5',
  surprise: '#c084fc',
  fear: '#2dd4bf',
  anger: '#fb6a63',
  disgust: '#86c95b',
};
const OTHERS = ['#e0a3ff', '#7dd3fc', '#f9a8d4', '#bef264', '#fdba74'];
const PEOPLE = [
  '#53c7f0',
  '#ff9eb5',
  '#c9ee78',
  '#ffb877',
  '#b7a6ff',
  '#6ee7b7',
  '#f4e285',
  '#e58fd0',
];

const people = new Map<string, string>();

export function labelColour(label: string, index: number): string {
  return LABELS[label] ?? OTHERS[index % OTHERS.length]!;
}

/** Each person keeps the colour they were first given. */
export function personColour(subjectId: string): string {
  let colour = people.get(subjectId);
  if (colour === undefined) {
    colour = PEOPLE[people.size % PEOPLE.length]!;
    people.set(subjectId, colour);
  }
  return colour;
}
