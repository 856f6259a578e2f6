import { randomCommand } from './commands.js';
import { show, showWire, WireConnection } from './wire.js';
const TOLERANCE = {
    TTL: 2,
    PTTL: 3000,
    EXPIRETIME: 2,
    PEXPIRETIME: 3000,
    LASTSAVE: Number.POSITIVE_INFINITY,
};
const UNORDERED = new Set(['KEYS', 'SCAN']);
const OF_THE_SERVER = new Set([
    'TIME',
    'RANDOMKEY',
    'CLIENT ID',
    'CLIENT LIST',
    'CLIENT INFO',
    'COMMAND COUNT',
    'CONFIG GET',
]);
export async function compareStream(expected, tested, random, length, protocol) {
    const connections = [];
    const before = [];
    try {
        for (let i = 0; i < 2; i++)
            connections.push(await Pair.open(expected, tested, protocol));
        await connections[0].send([['FLUSHALL']]);
        for (let done = 0; done < length;) {
            const at = random.below(connections.length);
            const count = random.chance(0.5) ? 1 : random.between(2, 20);
            const commands = Array.from({ length: count }, () => randomCommand(random));
            const difference = await connections[at].send(commands);
            if (difference !== undefined) {
                const sent = commands.slice(0, difference.index).map(command => `${at}> ${show(command)}`);
                return { ...difference, before: [...before, ...sent].slice(-25) };
            }
            before.push(...commands.map(command => `${at}> ${show(command)}`));
            done += count;
        }
        return undefined;
    }
    finally {
        for (const connection of connections)
            connection.close();
    }
}
export class Pair {
    constructor(expected, tested) {
        this.queued = [];
        this.expected = expected;
        this.tested = tested;
    }
    static async open(expected, tested, protocol) {
        const pair = new Pair(await WireConnection.open(expected.port), await WireConnection.open(tested.port));
        if (protocol === 3) {
            const hello = [['HELLO', '3']];
            await Promise.all([pair.expected.send(hello), pair.tested.send(hello)]);
        }
        return pair;
    }
    async send(commands) {
        const [expected, tested] = await Promise.all([
            this.expected.send(commands),
            this.tested.send(commands).catch((error) => [{ kind: '?', text: error.message }]),
        ]);
        for (const [index, command] of commands.entries()) {
            const a = expected[index];
            const b = tested[index] ?? { kind: '?', text: 'no reply' };
            if (!this.same(command, a, b))
                return { index, command: show(command), expected: showWire(a), found: showWire(b) };
        }
        return undefined;
    }
    same(command, a, b) {
        const name = String(command[0]).toUpperCase();
        if (name === 'EXEC' && a.items !== undefined && b.items !== undefined) {
            const queued = this.queued.splice(0);
            return (a.items.length === b.items.length &&
                a.items.every((item, i) => sameReply(queued[i] ?? [''], item, b.items[i])));
        }
        if (a.kind === '+' && a.text === 'QUEUED')
            this.queued.push(command);
        else if (['EXEC', 'DISCARD', 'RESET'].includes(name))
            this.queued = [];
        return sameReply(command, a, b);
    }
    close() {
        this.expected.close();
        this.tested.close();
    }
}
function sameReply(command, a, b) {
    const name = String(command[0]).toUpperCase();
    const both = `${name} ${String(command[1] ?? '').toUpperCase()}`.trimEnd();
    if (a.kind !== b.kind)
        return OF_THE_SERVER.has(name) && a.kind !== '-' && b.kind !== '-';
    if (a.kind === '-')
        return a.text === b.text;
    if (OF_THE_SERVER.has(name) || OF_THE_SERVER.has(both) || both === 'COMMAND' || both === 'HELLO')
        return true;
    const tolerance = TOLERANCE[name];
    if (tolerance !== undefined && a.kind === ':') {
        const [x, y] = [Number(a.text), Number(b.text)];
        return x < 0 || y < 0 ? x === y : Math.abs(x - y) <= tolerance;
    }
    return canonical(name, a) === canonical(name, b);
}
function canonical(name, wire) {
    if (wire.items === undefined)
        return showWire(wire);
    const items = wire.items.map(item => canonical(name, item));
    return `${wire.kind}[${(UNORDERED.has(name) ? items.sort() : items).join(' ')}]`;
}
//# sourceMappingURL=compare.js.map