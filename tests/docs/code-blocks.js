import { readFileSync } from 'node:fs';
const GOES_ON = '<!-- goes on -->';
const FENCE = /^```(ts|js)\n([\s\S]*?)^```$/gm;
export const codeBlocks = (file) => {
    const page = readFileSync(file, 'utf8');
    const blocks = [];
    for (const match of page.matchAll(FENCE)) {
        const before = page.slice(0, match.index);
        const line = before.split('\n').length + 1;
        const last = blocks.at(-1);
        if (last !== undefined && before.trimEnd().endsWith(GOES_ON)) {
            const gap = line - last.line - last.code.split('\n').length + 1;
            last.code += '\n'.repeat(gap) + match[2];
        }
        else
            blocks.push({ line, code: match[2] });
    }
    return blocks;
};
const OPENING = "import { open } from 'xenondb'; const db = open('db');";
const CLOSING = 'db.close()';
const opensItself = (code) => /\bdb = |\bopen\(|new Keyv\(|memoryStorage/.test(code);
export const withDatabase = ({ code }) => opensItself(code) ? code : `${OPENING} ${code}\n${CLOSING}\n`;
export const withChecks = (block, checks) => {
    const { line } = block;
    const lines = withDatabase(block).split('\n');
    const checked = lines.map((text, i) => {
        const [, indent, statement, expected] = /^(\s*)(.*?)\s*\/\/ => (.+)$/.exec(text) ?? [];
        if (statement === undefined || expected === undefined)
            return text;
        const [opening, code] = statement.startsWith(OPENING) ? [OPENING, statement.slice(OPENING.length)] : ['', statement];
        const [, thrown] = /^throws (\w+)$/.exec(expected) ?? [];
        if (thrown !== undefined)
            return `${indent}${opening}await $throws(async () => { ${awaited(code)} }, '${thrown}', ${line + i})`;
        const [, name] = /^\s*(?:const|let) (\w+)(?:: [^=]+)? = /.exec(code) ?? [];
        if (name !== undefined)
            return `${indent}${opening}${code}; $equal(${name}, ${expected}, ${line + i})`;
        return `${indent}${opening}$equal(${code}, ${expected}, ${line + i})`;
    });
    return `import { equal as $equal, throws as $throws } from '${checks}'; ${checked.join('\n')}`;
};
const awaited = (code) => (/^\s*(const|let|for|if)\b/.test(code) ? code : `await (${code})`);
//# sourceMappingURL=code-blocks.js.map