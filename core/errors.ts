/**
 * Every error that clmex throws on purpose. `code` is a literal to switch on; `field`, `value` and
 * `allowed` name what was wrong, what was given and what would have been right.
 */
export type ErrorCode =
  | 'invalid-config'
  | 'invalid-argument'
  | 'invalid-file'
  | 'not-found'
  | 'unsupported'
  | 'source-failed'
  | 'engine-failed'
  | 'model-invalid'
  | 'protocol-mismatch'
  | 'unauthorized'
  | 'port-in-use'
  | 'limit-exceeded'
  | 'closed'
  | 'timeout';

export interface ErrorDetails {
  /** Dotted path of the offending field, e.g. `cameras[1].id`. */
  field?: string | undefined;
  /** What was given; shortened to 200 characters in the message. */
  value?: unknown;
  /** What would have been accepted, in words. */
  allowed?: string | undefined;
  cause?: unknown;
}

export class ClmexError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly value: unknown;
  readonly allowed: string | undefined;
  readonly #what: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(describe(message, details), { cause: details.cause });
    this.name = 'ClmexError';
    this.#what = message;
    this.code = code;
    this.field = details.field;
    this.value = details.value;
    this.allowed = details.allowed;
  }

  /** The same error as it concerns the field of whoever asked. */
  of(field: string): ClmexError {
    const { code, value, allowed } = this;
    return new ClmexError(code, this.#what, { field, value, allowed, cause: this });
  }
}

function describe(message: string, { field, value, allowed }: ErrorDetails): string {
  const where = field === undefined ? '' : `${field}: `;
  const given = value === undefined ? '' : ` (given: ${shorten(value)})`;
  const must = allowed === undefined ? '' : `. Allowed: ${allowed}`;
  return `${where}${message}${given}${must}`;
}

function shorten(value: unknown): string {
  let text: string;
  try {
    const json = JSON.stringify(value) as string | undefined; // undefined for functions and symbols
    text = json ?? String(value);
  } catch {
    text = String(value);
  }
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
