import { spawn } from 'node:child_process';
import { fstatSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from 'vitest';
const script = fileURLToPath(new URL('lock-child.mjs', import.meta.url));
const children = new Set();
afterAll(() => {
    for (const child of children)
        child.kill('SIGKILL');
});
export function startProcess() {
    const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.add(child);
    const exited = new Promise(resolve => child.once('exit', () => resolve()));
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
        pid: child.pid,
        async ask(command) {
            child.stdin.write(`${command}\n`);
            const { value } = await answers.next();
            return value ?? 'gone';
        },
        async kill() {
            child.kill('SIGKILL');
            await exited;
            children.delete(child);
        },
    };
}
export function ownClaim() {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    return {
        pid: process.pid,
        start: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
        boot: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
        namespace: readlinkSync('/proc/self/ns/pid'),
        nonce: 'abcdef0123456789abcdef01',
    };
}
export function forge(directory, changes, name = 'lock') {
    writeFileSync(join(directory, name), JSON.stringify({ ...ownClaim(), ...changes }));
}
export function expectDescriptor(directory) {
    const path = join(directory, 'lock');
    const { descriptor } = JSON.parse(readFileSync(path, 'utf8'));
    const identity = ({ dev, ino }) => `${dev}:${ino}`;
    const held = fstatSync(descriptor, { bigint: true });
    expect(identity(held)).toBe(identity(statSync(path, { bigint: true })));
}
export const noSuchPid = 0x7ffffff0;
//# sourceMappingURL=lock-owner.js.map