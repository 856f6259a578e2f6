import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
export function startChild(script, parameters, environment = {}) {
    const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
    const child = spawn(process.execPath, [path, ...parameters], {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...environment },
    });
    let output = '';
    let errors = '';
    const firstLine = new Promise((resolve, reject) => {
        child.stdout.setEncoding('utf8').on('data', (text) => {
            output += text;
            const end = output.indexOf('\n');
            if (end >= 0)
                resolve(output.slice(0, end));
        });
        child.once('close', () => reject(new Error(`${script} ended without a word: ${errors}`)));
    });
    firstLine.catch(() => { });
    child.stderr.setEncoding('utf8').on('data', (text) => {
        errors += text;
    });
    const ended = new Promise(resolve => {
        child.once('close', (_, signal) => {
            resolve({ lines: output.split('\n').slice(0, -1), signal, errors });
        });
    });
    return { process: child, firstLine, ended, kill: () => void child.kill('SIGKILL') };
}
export function pause(milliseconds) {
    return new Promise(resolve => setTimeout(resolve, milliseconds));
}
//# sourceMappingURL=child.js.map