/** What is wrong with a file, as lines for people, without the secrets that they may quote. */
import { pathText, valueAt, type Path, type Problem } from './problems.ts';
import type { Finding, SourceFile } from './read.ts';

/** A value that came from outside the file, or whose key suggests a secret, is never shown. */
export function secretPaths(filled: readonly Path[]): (path: Path) => boolean {
  const expandedPaths = new Set(filled.map((path) => pathText(path).toLowerCase()));
  return (path) =>
    expandedPaths.has(pathText(path).toLowerCase()) ||
    path.some(
      (part) =>
        typeof part === 'string' && /url|endpoint|token|passw|secret|credential|auth|webhook|header/i.test(part),
    );
}

/** Removes quotes of a URL or of a value from outside the file: in `fallback = "${SPARE_URL}"` an unknown sink is a secret. */
export function redactQuotes(value: unknown, filled: readonly Path[]): (problem: Problem) => Problem {
  const expandedPaths = new Set(filled.map(pathText));
  return (problem) => {
    const current = valueAt(value, problem.path);
    if (typeof current !== 'string' || current === '') return problem;
    if (!expandedPaths.has(pathText(problem.path)) && !current.includes('://')) return problem;
    return { ...problem, message: replaceQuoted(problem.message, current) };
  };
}

/** RE2 quotes the part of an expression that it cannot parse; the message for an unknown handler suggests a file of that name. */
function replaceQuoted(message: string, value: string): string {
  const whole = message.replaceAll(`"${value}"`, '"..."').replaceAll(`/${value}.`, '/NAME.');
  return whole.replaceAll(/`([^`]+)`/g, (quote, part: string) => (value.includes(part) ? '`...`' : quote));
}

/**
 * In the order of the file, each with the warnings about its line, which often explain it: a variable that is not set. An
 * unresolved reference leaves an empty value, so only the first problem of a value is kept.
 */
export function formatFindings(problems: readonly Problem[], written: SourceFile, file: string): readonly string[] {
  const first = new Map(problems.toReversed().map((problem) => [pathText(problem.path).toLowerCase(), problem]));
  const findings = [...written.problems, ...[...first.values()].map(written.find)];
  const lines = new Set(findings.map(({ line }) => line));
  const explaining = written.warnings.filter(({ line }) => lines.has(line));
  const sorted = [...findings, ...explaining].toSorted((a, b) => a.line - b.line || (a.text < b.text ? -1 : 1));
  return [...new Set(sorted.map((one) => lineOf(one, file)))];
}

export function lineOf({ line, text }: Finding, file: string): string {
  return `${file}:${line}: ${text}`;
}
