export { open } from 'xenondb';
//# sourceMappingURL=xenondb.js.map