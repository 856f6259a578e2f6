import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
export function start(...args) {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', text => {
        stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
        stderr += text;
    });
    child.stdin.on('error', () => { });
    const outcome = new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
    });
    return { process: child, outcome };
}
export function run(...args) {
    return runWith('', ...args);
}
export function runWith(input, ...args) {
    const running = start(...args);
    running.process.stdin.end(input);
    return running.outcome;
}
//# sourceMappingURL=run.js.map