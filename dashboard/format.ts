/** Numbers as people read them; a true minus sign, and a dash for what is not known. */
const UNKNOWN = '–';

export function signed(value: number | undefined, digits: number, unit: string): string {
  if (value === undefined) return UNKNOWN;
  const text = Math.abs(value).toFixed(digits);
  const isZero = Number(text) === 0;
  return `${isZero ? '' : value < 0 ? '−' : '+'}${text} ${unit}`;
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

export function degrees(value: number): string {
  const whole = Math.round(value);
  return `${whole < 0 ? '−' : ''}${Math.abs(whole)}°`;
}

export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part) => String(part).padStart(2, '0')).join(':');
}

export const count = (value: number): string => value.toLocaleString('en-GB').replaceAll(',', ' ');
