import { createServer } from 'node:net';
import { ReplyReader } from '../../src/client/reader.js';
export async function fakeServer(onCommand, port = 0, greeting = '+OK\r\n') {
    const commands = [];
    const writes = [];
    const sockets = new Set();
    const server = createServer(socket => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        socket.on('error', () => { });
        let count = 0;
        const reader = new ReplyReader(reply => {
            const command = reply.map(String);
            if (command[0] === 'HELLO') {
                socket.write(greeting);
                return;
            }
            if (command[0] === 'LOCKWAIT') {
                if (greeting !== '')
                    socket.write('+OK\r\n');
                return;
            }
            count++;
            commands.push(command);
            onCommand(command, socket);
        }, () => { });
        socket.on('data', chunk => {
            const before = count;
            reader.push(chunk);
            if (count > before)
                writes.push(count - before);
        });
    });
    await new Promise(resolve => server.listen(port, '127.0.0.1', resolve));
    return {
        port: server.address().port,
        commands,
        writes,
        sockets,
        close: () => new Promise(resolve => {
            for (const socket of sockets)
                socket.destroy();
            server.close(() => resolve());
        }),
    };
}
//# sourceMappingURL=fake-server.js.map