import { inspect, isDeepStrictEqual } from 'node:util';
import pc from 'picocolors';
let chapters = 0;
let passed = 0;
const failed = [];
const times = [];
export function title(text) {
    console.log(`\n${pc.bold(text)}`);
}
export function chapter(text) {
    chapters++;
    console.log(`\n${pc.bold(pc.cyan(`${chapters}  ${text}`))}\n`);
}
export function say(text) {
    console.log(text === '' ? '' : `   ${text}`);
}
export function step(code, run) {
    console.log(`   ${pc.yellow(code)}`);
    run();
}
export function ask(code, run, expected) {
    const answer = run();
    const right = isDeepStrictEqual(answer, expected);
    const shown = inspect(answer, { breakLength: Number.POSITIVE_INFINITY, depth: 4 });
    console.log(`   ${pc.yellow(code.padEnd(46))} ${pc.dim('→')} ${shown}${right ? '' : pc.red('  ✗')}`);
    count(right, `${code} gives ${inspect(expected)}`);
    return answer;
}
export function check(claim, holds) {
    console.log(`   ${holds ? pc.green('✓') : pc.red('✗')} ${claim}`);
    count(holds, claim);
}
function count(right, claim) {
    if (right)
        passed++;
    else
        failed.push(claim);
}
export function timed(run) {
    const started = performance.now();
    const answer = run();
    return { answer, ms: performance.now() - started };
}
export function keepTime(what, ms, operations) {
    const rate = operations === undefined ? '' : `  ${number((operations / ms) * 1000).padStart(11)} per second`;
    times.push([what, `${duration(ms).padStart(9)}${rate}`]);
}
export function number(value) {
    return Math.round(value).toLocaleString('en-US');
}
export function duration(ms) {
    if (ms >= 1000)
        return `${(ms / 1000).toFixed(2)} s`;
    return ms >= 1 ? `${ms.toFixed(1)} ms` : `${(ms * 1000).toFixed(0)} µs`;
}
export function finish() {
    chapter('Times on this machine');
    const width = Math.max(...times.map(([what]) => what.length));
    for (const [what, time] of times)
        say(`${what.padEnd(width)}  ${time}`);
    console.log();
    if (failed.length === 0) {
        console.log(pc.green(pc.bold(`All ${passed} checks passed.`)));
        return 0;
    }
    console.log(pc.red(pc.bold(`${failed.length} of ${passed + failed.length} checks failed:`)));
    for (const claim of failed)
        console.log(pc.red(`  ✗ ${claim}`));
    return 1;
}
//# sourceMappingURL=lesson.js.map