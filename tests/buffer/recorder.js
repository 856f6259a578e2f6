import { expect } from 'vitest';
import { memoryStorage } from '../../src/index.js';
import { eachPart, GROUP_HEADER_BYTES, GROUP_MAGIC, recordLength } from '../../src/log/format.js';
import { formatsBlock } from '../../src/log/redo.js';
import { blockLsn } from '../../src/pager/bucket.js';
import { METADATA_BYTES, Metadata } from '../../src/pager/metadata.js';
import { Arena } from '../../src/runtime/bytes.js';
export class Recorder {
    #inner;
    #firstLsn;
    #groups;
    #images;
    #relied;
    #formats;
    #redoLsn;
    #syncedRedoLsn;
    #unsyncedBlocks;
    #data;
    constructor(inner = memoryStorage()) {
        this.problems = [];
        this.blocksWritten = 0;
        this.images = 0;
        this.formats = 0;
        this.redoMoved = 0;
        this.segmentsGivenUp = 0;
        this.#firstLsn = Number.POSITIVE_INFINITY;
        this.#groups = [];
        this.#images = new Map();
        this.#relied = new Map();
        this.imagesBegun = 0;
        this.#formats = new Map();
        this.#redoLsn = 0;
        this.#syncedRedoLsn = 0;
        this.#unsyncedBlocks = 0;
        this.#inner = inner;
        this.storage = {
            ...inner,
            open: (path, options) => {
                const file = inner.open(path, options);
                if (options?.readOnly)
                    return file;
                if (path.endsWith('.log'))
                    this.#watchSegment(path, file);
                else if (path.endsWith('data'))
                    this.#watchData(file);
                else if (path.includes('images-'))
                    this.#watchImages(path, file);
                return file;
            },
            remove: path => {
                if (path.endsWith('.log') && inner.kind(path) === 'file')
                    this.#givenUp(path);
                inner.remove(path);
            },
        };
    }
    #watchSegment(path, file) {
        const write = file.write.bind(file);
        file.write = (source, offset, length, position) => {
            if (position === 0)
                this.#givenUp(path);
            else
                this.#group(path, source.slice(offset, offset + length));
            write(source, offset, length, position);
        };
        const sync = file.sync.bind(file);
        file.sync = () => {
            sync();
            for (const group of this.#groups)
                if (group.path === path)
                    group.synced = true;
        };
    }
    #watchImages(path, file) {
        const writeMany = file.writeMany.bind(file);
        file.writeMany = (parts, position) => {
            if (position === 0)
                this.#imagesGivenUp(path);
            const header = new Uint32Array(parts[0].slice().buffer);
            const image = { path, lsn: header[4] + header[5] * 2 ** 32, synced: false };
            const blocks = header.slice(8, 8 + header[3]);
            expect(blocks.length).toBe(parts.length - 1);
            blocks.forEach((block, i) => {
                const a = new Arena(parts[i + 1].length);
                a.u8.set(parts[i + 1]);
                if (this.#groups.some(group => group.lsn <= blockLsn(a, 0) && !group.synced))
                    this.#problem(`I3: an image of block ${block} was written before the log was synced through it`);
                this.#images.set(block, image);
            });
            writeMany(parts, position);
        };
        const sync = file.sync.bind(file);
        file.sync = () => {
            sync();
            for (const image of this.#images.values())
                if (image.path === path)
                    image.synced = true;
        };
    }
    #imagesGivenUp(path) {
        this.imagesBegun++;
        for (const [block, image] of this.#relied)
            if (image.path === path)
                this.#problem(`I2: ${path} is begun anew before block ${block} was synced, which relies on it`);
        for (const [block, image] of this.#images)
            if (image.path === path)
                this.#images.delete(block);
    }
    #group(path, bytes) {
        const a = new Arena(bytes.length);
        a.u8.set(bytes);
        if (a.u32[0] !== GROUP_MAGIC)
            return;
        const lsn = a.u32[4] + a.u32[5] * 2 ** 32;
        this.#firstLsn = Math.min(this.#firstLsn, lsn);
        this.#groups.push({ path, lsn, end: lsn + bytes.length, synced: false });
        for (let at = GROUP_HEADER_BYTES; at < bytes.length; at += recordLength(a, at)) {
            eachPart(a, at, (block, from) => {
                if (block !== 0 && formatsBlock(a, from))
                    this.#formats.set(block, lsn + at);
            });
        }
    }
    #watchData(file) {
        this.#data = file;
        this.#redoLsn = this.#readRedoLsn();
        this.#syncedRedoLsn = this.#redoLsn;
        const write = file.write.bind(file);
        file.write = (source, offset, length, position) => {
            if (position >= METADATA_BYTES)
                this.#block(source.slice(offset, offset + length), position / length);
            write(source, offset, length, position);
            if (position < METADATA_BYTES)
                this.#state(this.#readRedoLsn());
        };
        const writeMany = file.writeMany.bind(file);
        file.writeMany = (parts, position) => {
            parts.forEach((part, i) => {
                this.#block(part.slice(), position / part.length + i);
            });
            writeMany(parts, position);
        };
        const sync = file.sync.bind(file);
        file.sync = () => {
            sync();
            this.#unsyncedBlocks = 0;
            this.#relied.clear();
            this.#syncedRedoLsn = this.#redoLsn;
        };
    }
    #block(bytes, block) {
        const a = new Arena(bytes.length);
        a.u8.set(bytes);
        const lsn = blockLsn(a, 0);
        this.#unsyncedBlocks++;
        if (lsn === 0)
            return;
        this.blocksWritten++;
        if (this.#groups.some(group => group.lsn <= lsn && !group.synced))
            this.#problem(`P1: block ${block} of LSN ${lsn} was written before the log was synced through it`);
        if (lsn >= this.#firstLsn &&
            !this.#groups.some(group => group.lsn < lsn && lsn < group.end) &&
            lsn >= this.#redoLsn)
            this.#problem(`P1: block ${block} of LSN ${lsn} was written before its log record`);
        const image = this.#images.get(block);
        const format = this.#formats.get(block) ?? 0;
        if (format !== 0 && format >= this.#redoLsn) {
            if (this.#groups.some(group => group.lsn <= format && format < group.end && !group.synced))
                this.#problem(`P2: block ${block} was written before its basis at ${format} was synced`);
            this.formats++;
            return;
        }
        if (image === undefined || image.lsn < this.#redoLsn)
            this.#problem(`P2: block ${block} was written with its image at ${image?.lsn}, redo begins at ${this.#redoLsn}`);
        else if (!image.synced)
            this.#problem(`I1: block ${block} was written before its image was synced`);
        else
            this.#relied.set(block, image);
        this.images++;
    }
    #state(redoLsn) {
        if (redoLsn === this.#redoLsn)
            return;
        this.redoMoved++;
        if (redoLsn < this.#redoLsn)
            this.#problem(`C1: the redo LSN went back to ${redoLsn}`);
        if (this.#unsyncedBlocks > 0)
            this.#problem(`C1: the redo LSN moved while ${this.#unsyncedBlocks} blocks were not synced`);
        this.#redoLsn = redoLsn;
    }
    #givenUp(path) {
        const last = this.#groups.filter(group => group.path === path).at(-1);
        if (last === undefined)
            return;
        this.segmentsGivenUp++;
        if (last.end > this.#syncedRedoLsn)
            this.#problem(`C2: ${path} was given up, which holds the log up to ${last.end}; redo begins at ${this.#syncedRedoLsn}`);
        this.#groups = this.#groups.filter(group => group.path !== path);
    }
    #readRedoLsn() {
        const bytes = new Uint8Array(METADATA_BYTES);
        this.#data.read(bytes, 0, bytes.length, 0);
        try {
            return Metadata.decode(bytes, 'data', this.#inner).redoLsn;
        }
        catch {
            return 0;
        }
    }
    #problem(sentence) {
        if (this.problems.length < 20)
            this.problems.push(sentence);
    }
}
//# sourceMappingURL=recorder.js.map