import { memoryStorage, open } from '../../src/index.js';
import { contract } from './async-store.js';
import { remainsOf } from './implementation.js';
contract({
    name: 'db.async',
    async open(options) {
        const storage = memoryStorage();
        const db = open('db', { storage, ...options });
        return {
            store: db.async,
            async finish() {
                const found = db.closed ? undefined : await remainsOf(db);
                await db.async.close();
                if (found !== undefined)
                    return found;
                const again = open('db', { storage, ...options });
                const remains = await remainsOf(again);
                again.close();
                return remains;
            },
        };
    },
});
//# sourceMappingURL=local.test.js.map