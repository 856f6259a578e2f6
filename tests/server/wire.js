import { connect } from 'node:net';
import { memoryStorage, open } from '../../src/index.js';
import { createServer } from '../../src/server/index.js';
import { hashIn, keysApart } from '../hash/keys.js';
import { pause } from '../support/child.js';
import { expectVerified } from '../support/database.js';
import { readImage } from '../support/image.js';
export async function withServer(options, body, databaseOptions = {}) {
    const storage = databaseOptions.storage ?? memoryStorage();
    const db = open('db', {
        keyEncoding: 'binary',
        valueEncoding: 'binary',
        ...databaseOptions,
        storage,
    });
    const server = createServer(db, { port: 0, ...options });
    const clients = [];
    try {
        const address = await server.listen();
        const port = 'port' in address ? address.port : 0;
        await body({
            server,
            port,
            keysApart: count => keysApart(hashIn(readImage('db', storage)), count),
            async client() {
                const client = await Wire.open(port);
                clients.push(client);
                return client;
            },
        });
        for (const client of clients)
            client.close();
        while (server.sessions.size > 0)
            await pause(1);
        await expectVerified(db);
    }
    finally {
        for (const client of clients)
            client.close();
        await server.close();
        db.close();
    }
}
export class Wire {
    constructor(socket) {
        this.received = '';
        this.closed = false;
        this.waiting = [];
        this.socket = socket;
        socket.setEncoding('latin1');
        socket.on('data', (text) => {
            this.received += text;
            this.wake();
        });
        socket.on('error', () => { });
        socket.on('close', () => {
            this.closed = true;
            this.wake();
        });
    }
    static open(port) {
        return new Promise((resolve, reject) => {
            const socket = connect(port, '127.0.0.1', () => resolve(new Wire(socket)));
            socket.once('error', reject);
        });
    }
    write(text) {
        this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    }
    async expect(sent, reply, milliseconds = 10_000) {
        this.write(sent);
        await this.until(text => text.length >= reply.length, milliseconds);
        if (this.received !== reply)
            throw new Error(`sent ${JSON.stringify(sent)}\nexpected ${JSON.stringify(reply)}\nreceived ${JSON.stringify(this.received)}`);
        this.received = '';
    }
    async until(done, milliseconds = 10_000) {
        const deadline = Date.now() + milliseconds;
        while (!done(this.received)) {
            if (this.closed)
                throw new Error(`closed after ${JSON.stringify(this.received.slice(0, 500))}`);
            if (Date.now() > deadline)
                throw new Error(`nothing more after ${JSON.stringify(this.received.slice(0, 500))}`);
            await this.change(deadline);
        }
        return this.received;
    }
    async untilClosed(milliseconds = 10_000) {
        const deadline = Date.now() + milliseconds;
        while (!this.closed) {
            if (Date.now() > deadline)
                throw new Error('still open');
            await this.change(deadline);
        }
        return this.received;
    }
    close() {
        this.socket.destroy();
    }
    change(deadline) {
        return new Promise(resolve => {
            const timer = setTimeout(resolve, Math.max(1, deadline - Date.now()));
            this.waiting.push(() => {
                clearTimeout(timer);
                resolve();
            });
        });
    }
    wake() {
        for (const resolve of this.waiting.splice(0))
            resolve();
    }
}
export function request(...words) {
    return `*${words.length}\r\n${words.map(word => `$${String(word).length}\r\n${word}\r\n`).join('')}`;
}
export function bulk(text) {
    return `$${text.length}\r\n${text}\r\n`;
}
//# sourceMappingURL=wire.js.map