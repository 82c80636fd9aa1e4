/** Names as the API server accepts them. */
import { z } from 'zod';
import { isPattern } from '../namespaces.ts';

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** A namespace by its exact name. */
export const namespace = z.string().regex(NAMESPACE, {
  error: ({ input }) =>
    String(input).includes('*')
      ? 'must be the exact name of a namespace, not a pattern'
      : 'must be the name of a namespace: lower-case letters, digits and "-"',
});

/** A namespace by its exact name, or several by a pattern such as `team-*`. */
export const namespaces = z.array(
  z
    .string()
    .refine(
      (name) => (isPattern(name) ? /^[-a-z0-9*]{1,63}$/ : NAMESPACE).test(name),
      'must be the name of a namespace: lower-case letters, digits and "-"; "*" matches any characters',
    ),
);

/** The API server's rule for names of Leases. */
export const leaseName = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must consist of lower-case letters, digits, "-" and "."',
  );
