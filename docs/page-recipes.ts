/** The recipes on a page of this folder: the sections that have TOML. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Recipe {
  /** The section's heading. */
  readonly name: string;
  readonly toml: string;
}

/** In the order of the page; of each section, the first block of TOML. */
export async function readRecipes(file: string): Promise<readonly Recipe[]> {
  const page = await readFile(join(import.meta.dirname, file), 'utf8');
  return page.split(/^## /m).flatMap((section) => {
    const [, , toml] = /^(`{3,})toml\n([^]*?)^\1$/m.exec(section) ?? [];
    return toml === undefined ? [] : [{ name: section.slice(0, section.indexOf('\n')), toml }];
  });
}
