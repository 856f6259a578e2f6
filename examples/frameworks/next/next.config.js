export default {
  // Node loads xenondb itself, once for the process; it is not made a part of each route's bundle.
  turbopack: { root: import.meta.dirname },
  serverExternalPackages: ['xenondb'],
}
