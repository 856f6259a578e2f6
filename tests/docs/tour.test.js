import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
const read = (path) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
const tour = read('docs/tour.md');
const quotes = [...tour.matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)].map(([, file, code]) => ({
    file: file,
    code: code.trimEnd(),
}));
test('the tour has a dozen stops, each with its place in the code', () => {
    expect(tour.match(/^## \d+\. /gm)?.length).toBe(12);
    expect(quotes.length).toBeGreaterThan(12);
});
test.each(quotes)('$file says what the tour quotes', ({ file, code }) => {
    expect(read(file)).toContain(code);
});
test('the files that the tour names exist', () => {
    const named = [...tour.matchAll(/`((?:[a-z-]+\/)+[a-z-]+\.ts)`/g)].map(match => match[1]);
    expect(named.length).toBeGreaterThan(6);
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const lost = named.filter(name => !existsSync(`${root}${name}`) && !existsSync(`${root}src/${name}`));
    expect(lost).toEqual([]);
});
test('the glossary is in order, and explains each word once', () => {
    const words = [...tour.slice(tour.indexOf('## Glossary')).matchAll(/^\| ([a-zA-Z0 -]+?) \|/gm)]
        .map(match => match[1])
        .filter(word => word !== 'word' && !word.startsWith('-'));
    expect(words.length).toBeGreaterThan(20);
    expect(words).toEqual([...words].sort((a, b) => a.localeCompare(b, 'en', { sensitivity: 'base' })));
});
//# sourceMappingURL=tour.test.js.map