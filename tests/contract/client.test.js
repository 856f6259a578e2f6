import { connect } from '../../src/client/index.js';
import { memoryStorage, open } from '../../src/index.js';
import { createServer } from '../../src/server/index.js';
import { pause } from '../support/child.js';
import { contract } from './async-store.js';
import { remainsOf } from './implementation.js';
contract({
    name: 'xenondb/client',
    async open({ lockTimeout = 10_000, ordered = true, ...encodings }) {
        const db = open('db', {
            storage: memoryStorage(),
            keyEncoding: 'binary',
            valueEncoding: 'binary',
            ordered,
        });
        const server = createServer(db, { port: 0, lockTimeout });
        const { port } = (await server.listen());
        const client = await connect({ port, ...encodings });
        return {
            store: client,
            async finish() {
                await client.close();
                for (let i = 0; i < 1000 && server.sessions.size > 0; i++)
                    await pause(10);
                const remains = await remainsOf(db);
                await server.close();
                db.close();
                return remains;
            },
        };
    },
});
//# sourceMappingURL=client.test.js.map