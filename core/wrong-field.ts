import type { z } from 'zod';
import { ClmexError, type ErrorCode } from './errors.js';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** What was read: a configuration, a recipe, a manifest. */
export interface Document {
  readonly name: string;
  readonly code: ErrorCode;
  /** Stands in front of a field's name. */
  readonly prefix?: string;
  /** Which fields there are. */
  readonly fields: string;
}

/** The first thing wrong with a document, by field, value and what is allowed. */
export function wrongField(
  issues: readonly Issue[],
  json: unknown,
  document: Document,
): ClmexError {
  const issue = issues[0]!;
  const path = pathOf(issue);
  const value = valueAt(json, path);
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const isMissing = value === undefined && issue.code !== 'custom';
  const plain = issue.code === 'unrecognized_keys' ? `is not a field of the ${document.name}` : PLAIN[issue.code]; // prettier-ignore
  const message = isMissing ? 'is required' : (plain ?? issue.message);
  return new ClmexError(document.code, `${message}${more}`, {
    field: `${document.prefix ?? ''}${path.length === 0 ? document.name : named(path)}`,
    value,
    allowed: issue.code === 'unrecognized_keys' ? document.fields : allowedOf(issue),
    cause: issues,
  });
}

/** Messages whose second half says what is allowed. */
const PLAIN: Readonly<Record<string, string>> = {
  invalid_value: 'is none of the allowed values',
  invalid_type: 'is of the wrong type',
  invalid_union: 'is none of the allowed values',
  too_small: 'is too small',
  too_big: 'is too large',
};

function pathOf(issue: Issue): Path {
  if (issue.code === 'unrecognized_keys') return [...issue.path, issue.keys[0]!];
  return issue.path;
}

function named(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function valueAt(json: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    json,
  );
}

function allowedOf(issue: Issue): string | undefined {
  switch (issue.code) {
    case 'invalid_value':
      return issue.values.map(String).join(', ');
    case 'invalid_type':
      return issue.expected === 'int' ? 'an integer' : issue.expected;
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${String(issue.minimum)}`;
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${String(issue.maximum)}`;
    case 'invalid_union':
      return alternativesOf(issue);
    default:
      return undefined;
  }
}

/** A discriminated union lists its kinds in the message; others carry an issue for each way. */
function alternativesOf(issue: Extract<Issue, { code: 'invalid_union' }>): string {
  const kinds = [...issue.message.matchAll(/'([^']+)'/g)].map(([, kind]) => kind!);
  if (kinds.length > 0) return kinds.join(', ');
  const ways = issue.errors.flatMap((way) => way.map((one) => allowedOf(one) ?? one.message));
  return [...new Set(ways)].join(', ');
}
