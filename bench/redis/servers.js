import { spawn, spawnSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { repositoryRoot } from '../support/paths.js';
export const REDIS_OPTIONS = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
export function redisVersion() {
    const { status, stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
    return status === 0 ? /v=(\S+)/.exec(stdout)?.[1] : undefined;
}
export async function startServer(name, directory) {
    const port = await freePort();
    const [program, args] = name === 'redis-server'
        ? ['redis-server', ['--port', `${port}`, '--dir', directory, ...REDIS_OPTIONS]]
        : [
            process.execPath,
            [
                join(repositoryRoot, 'dist', 'cli', 'main.js'),
                'serve',
                join(directory, 'db'),
                '--port',
                `${port}`,
                '--log-level',
                'error',
            ],
        ];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await accepts(port, child);
    const command = [name === 'xenondb' ? 'xenondb' : program, ...args.slice(name === 'xenondb' ? 1 : 0)];
    return { name, port, command: command.join(' ').replace(directory, 'DIRECTORY'), stop: () => stop(child) };
}
async function stop(child) {
    if (child.exitCode !== null || child.signalCode !== null)
        return;
    const ended = new Promise(resolve => child.once('close', resolve));
    child.kill('SIGTERM');
    const killed = setTimeout(() => child.kill('SIGKILL'), 60_000);
    await ended;
    clearTimeout(killed);
}
async function accepts(port, child) {
    for (let attempt = 0; attempt < 400; attempt++) {
        if (child.exitCode !== null)
            throw new Error(`bench: a server ended with status ${child.exitCode}`);
        const connected = await new Promise(resolve => {
            const socket = connect(port, '127.0.0.1', () => {
                socket.destroy();
                resolve(true);
            });
            socket.once('error', () => resolve(false));
        });
        if (connected)
            return;
        await new Promise(resolve => setTimeout(resolve, 25));
    }
    throw new Error(`bench: nobody listens on port ${port}`);
}
function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer().once('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}
//# sourceMappingURL=servers.js.map