import { describe, expect, test } from 'vitest';
import type { SubjectChange } from '../../../core/protocol.js';
import { SubjectBook } from '../../../runtime/stream/subjects.js';
import { scoreOf } from './scripted.js';

function openBook(): { book: SubjectBook; told: string[] } {
  const told: string[] = [];
  const book = new SubjectBook(({ kind, subject }: SubjectChange) =>
    told.push(`${kind} ${subject.subjectId} ${subject.cameraIds.join('+')}`),
  );
  return { book, told };
}

describe('the book of people', () => {
  test('tells of a person once, whether presence or a score comes first', () => {
    const { book, told } = openBook();
    book.scored(scoreOf('p1', 10, ['a']));
    book.appeared('p1', 11);
    book.appeared('p2', 11);
    expect(told).toEqual(['appeared p1 a', 'appeared p2 ']);
  });

  test('tells at once which cameras see somebody new', () => {
    const { book, told } = openBook();
    book.appeared('p1', 10);
    book.scored(scoreOf('p1', 10, ['b', 'a']));
    expect(told).toEqual(['appeared p1 ', 'changed p1 a+b']);
  });

  test('a camera that blinks changes nothing, one that stays away does', () => {
    const { book, told } = openBook();
    for (let atMs = 0; atMs <= 3000; atMs += 100) {
      const isBlink = atMs % 300 === 0;
      book.scored(scoreOf('p1', atMs, isBlink || atMs > 1500 ? ['a'] : ['a', 'b']));
    }
    expect(told).toEqual(['appeared p1 a', 'changed p1 a+b', 'changed p1 a']);
  });

  test('whoever left is gone from the next snapshot, with their scores', () => {
    const { book, told } = openBook();
    book.scored(scoreOf('p1', 10, ['a']));
    book.left('p1');
    book.left('p1');
    expect(told).toEqual(['appeared p1 a', 'left p1 a']);
    expect([book.subjects, book.scores]).toEqual([[], []]);
  });

  test('a flood of ids lets the oldest go', () => {
    const { book, told } = openBook();
    for (let n = 0; n < 300; n++) book.appeared(`p${n}`, n);
    expect(book.subjects).toHaveLength(256);
    expect(told.filter((line) => line.startsWith('left'))).toHaveLength(44);
  });
});
