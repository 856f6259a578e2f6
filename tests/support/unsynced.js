export class Unsynced {
    #writes = [];
    constructor(inner) {
        this.storage = Object.assign(Object.create(inner), {
            open: (path, options) => {
                const file = inner.open(path, options);
                return path === inner.join('db', 'data') ? this.#watch(file) : file;
            },
        });
    }
    has(from, to) {
        return this.#writes.some(({ position, length }) => position < to && position + length > from);
    }
    #watch(inner) {
        const note = (position, length) => {
            this.#writes.push({ position, length });
        };
        return {
            path: inner.path,
            size: () => inner.size(),
            read: (...args) => inner.read(...args),
            write: (source, offset, length, position) => {
                note(position, length);
                inner.write(source, offset, length, position);
            },
            writeMany: (parts, position) => {
                note(position, parts.reduce((sum, bytes) => sum + bytes.length, 0));
                inner.writeMany(parts, position);
            },
            truncate: size => inner.truncate(size),
            sync: () => {
                inner.sync();
                this.#writes = [];
            },
            syncAsync: () => inner.syncAsync(),
            close: () => inner.close(),
        };
    }
}
//# sourceMappingURL=unsynced.js.map