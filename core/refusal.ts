import { ClmexError } from './errors.js';
import type { Refusal } from './protocol.js';

const MOST_CHARACTERS = 500;

/** An error as it travels. Of anything but a ClmexError only the fact travels, never its text. */
export function toRefusal(error: unknown): Refusal {
  if (!(error instanceof ClmexError)) return { code: 'engine-failed', message: 'internal error' };
  const { code, message, field, value, allowed } = error;
  return {
    code,
    message: cut(message),
    ...(field !== undefined && { field: cut(field) }),
    ...(isPlain(value) && { value: typeof value === 'string' ? cut(value) : value }),
    ...(allowed !== undefined && { allowed: cut(allowed) }),
  };
}

/** The error that the other side meant. Its message already names field, value and allowed. */
export function fromRefusal({ code, message, field, value, allowed }: Refusal): ClmexError {
  return Object.assign(new ClmexError(code, message), { field, value, allowed });
}

const isPlain = (value: unknown): value is string | number | boolean =>
  ['string', 'number', 'boolean'].includes(typeof value);

const cut = (text: string): string =>
  text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text;
