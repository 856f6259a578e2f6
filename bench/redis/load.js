import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
export function loadArguments(port, load) {
    const numbers = [
        ['-p', port],
        ['-c', load.clients],
        ['-d', load.valueBytes],
        ['-r', load.keys],
        ['-n', load.requests],
        ['-P', load.pipeline],
    ];
    return [...numbers.flatMap(([name, value]) => [name, String(value)]), '-t', load.command, '--csv'];
}
export async function runLoad(port, load) {
    const args = loadArguments(port, load);
    const { stdout, stderr } = await promisify(execFile)('redis-benchmark', args, { maxBuffer: 2 ** 26 });
    const [head, line] = stdout.trim().split('\n').map(cells);
    if (head === undefined || line === undefined)
        throw new Error(`bench: redis-benchmark printed no figures: ${stdout}${stderr}`);
    const figure = (name) => Number(line[head.indexOf(name)]);
    return { perSecond: figure('rps'), p50: figure('p50_latency_ms'), p99: figure('p99_latency_ms') };
}
function cells(line) {
    return line.split('","').map(cell => cell.replaceAll('"', ''));
}
//# sourceMappingURL=load.js.map