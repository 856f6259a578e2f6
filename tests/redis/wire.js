import { connect } from 'node:net';
export class WireConnection {
    constructor(socket) {
        this.buffer = Buffer.alloc(0);
        this.socket = socket;
        socket.setNoDelay(true);
        socket.on('data', chunk => {
            this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
            this.take();
        });
        const fail = (error) => {
            this.failure ??= error;
            this.waiting?.reject(this.failure);
            this.waiting = undefined;
        };
        socket.on('error', fail);
        socket.on('close', () => fail(new Error('the server has closed the connection')));
    }
    static open(port) {
        return new Promise((resolve, reject) => {
            const socket = connect({ port, host: '127.0.0.1' });
            socket.once('error', reject);
            socket.once('connect', () => resolve(new WireConnection(socket)));
        });
    }
    send(commands, timeout = 20_000) {
        return new Promise((resolve, reject) => {
            if (this.failure !== undefined)
                return reject(this.failure);
            const timer = setTimeout(() => {
                this.waiting = undefined;
                reject(new Error(`no reply to ${show(commands[0])} … ${show(commands[commands.length - 1])} in ${timeout} ms`));
            }, timeout);
            const clear = (settle) => (value) => {
                clearTimeout(timer);
                settle(value);
            };
            this.waiting = { left: commands.length, replies: [], resolve: clear(resolve), reject: clear(reject) };
            this.socket.write(Buffer.concat(commands.map(encode)));
        });
    }
    close() {
        this.socket.destroy();
    }
    take() {
        let at = 0;
        while (this.waiting !== undefined) {
            let parsed;
            try {
                parsed = parse(this.buffer, at);
            }
            catch (error) {
                this.waiting.reject(error);
                this.waiting = undefined;
                return;
            }
            if (parsed === undefined)
                break;
            at = parsed[1];
            if (parsed[0].kind === '>')
                continue;
            this.waiting.replies.push(parsed[0]);
            if (--this.waiting.left > 0)
                continue;
            const { resolve, replies } = this.waiting;
            this.waiting = undefined;
            resolve(replies);
        }
        this.buffer = this.buffer.subarray(at);
    }
}
export function encode(command) {
    const parts = [Buffer.from(`*${command.length}\r\n`)];
    for (const arg of command) {
        const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg;
        parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
    }
    return Buffer.concat(parts);
}
function parse(buffer, at) {
    const end = buffer.indexOf('\r\n', at);
    if (end < 0)
        return undefined;
    const kind = buffer.toString('latin1', at, at + 1);
    const line = buffer.toString('latin1', at + 1, end);
    const next = end + 2;
    if ('+-:,#(_'.includes(kind))
        return [{ kind, text: line }, next];
    const length = Number(line);
    if (!Number.isInteger(length))
        throw new Error(`not RESP: ${JSON.stringify(`${kind}${line}`)}`);
    if (length < 0)
        return [{ kind: `${kind}-1` }, next];
    if ('$=!'.includes(kind)) {
        if (buffer.length < next + length + 2)
            return undefined;
        return [{ kind, text: buffer.toString('latin1', next, next + length) }, next + length + 2];
    }
    if (!'*~%>'.includes(kind))
        throw new Error(`not RESP: ${JSON.stringify(`${kind}${line}`)}`);
    const items = [];
    let from = next;
    for (let i = 0; i < (kind === '%' ? length * 2 : length); i++) {
        const item = parse(buffer, from);
        if (item === undefined)
            return undefined;
        items.push(item[0]);
        from = item[1];
    }
    return [{ kind, items }, from];
}
export function showWire(wire) {
    if (wire.items !== undefined)
        return `${wire.kind}[${wire.items.map(showWire).join(' ')}]`;
    if (wire.kind === '$')
        return JSON.stringify(wire.text);
    return `${wire.kind}${wire.text ?? ''}`;
}
export function show(command) {
    return command
        .map(arg => (typeof arg === 'string' ? arg : arg.toString('latin1')))
        .map(text => (/^[\w:.-]+$/.test(text) ? text : JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)))
        .join(' ');
}
//# sourceMappingURL=wire.js.map