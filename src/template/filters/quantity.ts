/** Filters for Kubernetes quantities: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
import type { FilterDefinition } from '../filter.ts';
import { textOf } from './text.ts';

const SHAPE = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const BYTE_UNITS: readonly string[] = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

export const quantity: FilterDefinition = {
  name: 'quantity',
  summary: 'A Kubernetes quantity as a number: bytes or cores. Nothing if it is not a quantity.',
  examples: [
    { template: '{{ "128Mi" | quantity }}', result: '134217728' },
    { template: '{{ "250m" | quantity }}', result: '0.25' },
  ],
  apply: (value) => quantityOf(value),
};

export const bytes: FilterDefinition = {
  name: 'bytes',
  summary: 'A number of bytes, or a Kubernetes quantity, in readable form.',
  examples: [
    { template: '{{ "1536Mi" | bytes }}', result: '1.5 GiB' },
    { template: '{{ 4200000 | bytes }}', result: '4 MiB' },
  ],
  apply(value) {
    const amount = quantityOf(value);
    if (amount === undefined) return undefined;
    const size = Math.abs(amount);
    const step = Math.min(BYTE_UNITS.length - 1, size < 1 ? 0 : Math.floor(Math.log2(size) / 10));
    return `${Number((amount / 1024 ** step).toFixed(1))} ${BYTE_UNITS[step]}`;
  },
};

/** Undefined if it is not a quantity. */
export function quantityOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  const [, digits = '', exponent = '', suffix] = SHAPE.exec(textOf(value).trim()) ?? [];
  if (digits === '') return undefined;
  const factor = suffix === undefined ? 1 : (FACTORS[suffix] ?? 1);
  const amount = Number(digits + exponent);
  // Division gives exactly 0.25 for 250m; multiplying by 1e-3 would not.
  return factor < 1 ? amount / Math.round(1 / factor) : amount * factor;
}
