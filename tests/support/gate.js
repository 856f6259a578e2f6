import { memoryStorage } from '../../src/index.js';
export class Gate {
    #waiting;
    #ticks;
    constructor(inner = memoryStorage(), milliseconds = 10) {
        this.inLine = 0;
        this.#waiting = [];
        this.#ticks = 0;
        this.storage = {
            ...inner,
            syncsAside: true,
            monotonic: () => (this.#ticks += milliseconds),
            open: (path, options) => this.#watch(inner.open(path, options)),
        };
    }
    waiting(ofLog = true) {
        return this.#waiting.filter(({ path }) => isOfLog(path) === ofLog).length;
    }
    letGo(error) {
        for (const { end } of this.#waiting.splice(0))
            end(error);
    }
    letGoSome(chosen) {
        for (const sync of this.#waiting.splice(0))
            if (chosen())
                sync.end();
            else
                this.#waiting.push(sync);
    }
    #watch(file) {
        let closed = false;
        return {
            path: file.path,
            size: () => file.size(),
            read: (...place) => file.read(...place),
            write: (...place) => file.write(...place),
            writeMany: (...place) => file.writeMany(...place),
            truncate: size => file.truncate(size),
            sync: () => {
                if (isOfLog(file.path))
                    this.inLine++;
                file.sync();
            },
            syncAsync: () => new Promise((resolve, reject) => {
                const end = (error) => {
                    if (error !== undefined)
                        reject(error);
                    else {
                        if (!closed)
                            file.sync();
                        resolve();
                    }
                };
                this.#waiting.push({ path: file.path, end });
            }),
            inPlace: () => file.inPlace?.() ?? true,
            close: () => {
                closed = true;
                file.close();
            },
        };
    }
}
const isOfLog = (path) => path.includes('log/');
export const turns = async () => {
    for (let i = 0; i < 4; i++)
        await new Promise(resolve => setImmediate(resolve));
};
//# sourceMappingURL=gate.js.map