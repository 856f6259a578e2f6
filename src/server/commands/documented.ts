/**
 * What COMMAND DOCS tells of the arguments of commands, and of what has changed in them since they came.
 *
 * An argument is written as its name, and then what holds for it, in this order:
 *
 * | @0            | a key, by the number of its key specification                             |
 * | {… \| …}      | one of these                                                              |
 * | (… …)         | these, in this order                                                      |
 * | <type>        | its type; a string if it is not said, a mere token if only `=` is         |
 * | =TOKEN        | the word that stands before it, or in its place                           |
 * | ^6.2.0        | the version of Redis that it is there since                               |
 * | ~6.2.0        | that from which on something else is better                               |
 * | ?, *, +       | may be left out; may come more than once; each time with its token        |
 */

export const ARGUMENTS: Readonly<Record<string, string>> = {
  ping: 'message?',
  echo: 'message',
  hello: 'arguments(protover<integer> username_password(username password)=AUTH? clientname<string>=SETNAME?)?',
  auth: 'username^6.0.0? password',
  select: 'index<integer>',
  get: 'key@0',
  set:
    'key@0 value condition{nx=NX|xx=XX}^2.6.12? get=GET^6.2.0? expiration{seconds<integer>=EX^2.6.12|' +
    'milliseconds<integer>=PX^2.6.12|unix-time-seconds<unix-time>=EXAT^6.2.0|' +
    'unix-time-milliseconds<unix-time>=PXAT^6.2.0|keepttl=KEEPTTL^6.0.0}?',
  setnx: 'key@0 value',
  setex: 'key@0 seconds<integer> value',
  psetex: 'key@0 milliseconds<integer> value',
  mget: 'key@0*',
  mset: 'key_value(key@0 value)*',
  msetnx: 'key_value(key@0 value)*',
  getset: 'key@0 value',
  getdel: 'key@0',
  getex:
    'key@0 expiration{seconds<integer>=EX|milliseconds<integer>=PX|unix-time-seconds<unix-time>=EXAT|' +
    'unix-time-milliseconds<unix-time>=PXAT|persist=PERSIST}?',
  append: 'key@0 value',
  strlen: 'key@0',
  getrange: 'key@0 start<integer> end<integer>',
  substr: 'key@0 start<integer> end<integer>',
  lcs: 'key1@0 key2@0 len=LEN? idx=IDX? len<integer>=MINMATCHLEN? withmatchlen=WITHMATCHLEN?',
  setrange: 'key@0 offset<integer> value',
  incr: 'key@0',
  decr: 'key@0',
  incrby: 'key@0 increment<integer>',
  decrby: 'key@0 decrement<integer>',
  incrbyfloat: 'key@0 increment<double>',
  setbit: 'key@0 offset<integer> value<integer>',
  getbit: 'key@0 offset<integer>',
  bitcount: 'key@0 index(start<integer> end<integer> index_unit{byte=BYTE|bit=BIT}^7.0.0?)?',
  bitpos: 'key@0 bit<integer> index(start<integer> end_index(end<integer> index_unit{byte=BYTE|bit=BIT}^7.0.0?)?)?',
  bitop: 'operation destkey@0 key@1*',
  bitfield:
    'key@0 operation{encoding_offset(encoding offset<integer>)=GET|write(wrap_sat_fail{wrap=WRAP|sat=SAT|' +
    'fail=FAIL}=OVERFLOW? write_operation{encoding_offset_value(encoding offset<integer> value<integer>)=SET|' +
    'encoding_offset_increment(encoding offset<integer> increment<integer>)=INCRBY})}?*',
  bitfield_ro: 'key@0 encoding_offset(encoding offset<integer>)=GET?*+',
  del: 'key@0*',
  unlink: 'key@0*',
  exists: 'key@0*',
  type: 'key@0',
  keys: 'pattern<pattern>',
  scan: 'cursor<integer> pattern<pattern>=MATCH? count<integer>=COUNT? type<string>=TYPE^6.0.0?',
  rename: 'key@0 newkey@1',
  renamenx: 'key@0 newkey@1',
  copy: 'source@0 destination@1 destination-db<integer>=DB? replace=REPLACE?',
  move: 'key@0 db<integer>',
  swapdb: 'index1<integer> index2<integer>',
  touch: 'key@0*',
  flushdb: 'async{async=ASYNC^4.0.0|sync=SYNC^6.2.0}?',
  flushall: 'async{async=ASYNC^4.0.0|sync=SYNC^6.2.0}?',
  dump: 'key@0',
  restore:
    'key@0 ttl<integer> serialized-value replace=REPLACE^3.0.0? absttl=ABSTTL^5.0.0? ' +
    'seconds<integer>=IDLETIME^5.0.0? frequency<integer>=FREQ^5.0.0?',
  expire: 'key@0 seconds<integer> condition{nx=NX|xx=XX|gt=GT|lt=LT}^7.0.0?',
  pexpire: 'key@0 milliseconds<integer> condition{nx=NX|xx=XX|gt=GT|lt=LT}^7.0.0?',
  expireat: 'key@0 unix-time-seconds<unix-time> condition{nx=NX|xx=XX|gt=GT|lt=LT}^7.0.0?',
  pexpireat: 'key@0 unix-time-milliseconds<unix-time> condition{nx=NX|xx=XX|gt=GT|lt=LT}^7.0.0?',
  ttl: 'key@0',
  pttl: 'key@0',
  expiretime: 'key@0',
  pexpiretime: 'key@0',
  persist: 'key@0',
  'object|encoding': 'key@0',
  'object|freq': 'key@0',
  'object|idletime': 'key@0',
  'object|refcount': 'key@0',
  watch: 'key@0*',
  subscribe: 'channel*',
  unsubscribe: 'channel?*',
  psubscribe: 'pattern(pattern<pattern>)*',
  punsubscribe: 'pattern<pattern>?*',
  ssubscribe: 'shardchannel*',
  sunsubscribe: 'shardchannel?*',
  publish: 'channel message',
  spublish: 'shardchannel message',
  'pubsub|channels': 'pattern<pattern>?',
  'pubsub|numsub': 'channel?*',
  'pubsub|shardchannels': 'pattern<pattern>?',
  'pubsub|shardnumsub': 'shardchannel?*',
  eval: 'script numkeys<integer> key@0?* arg?*',
  evalsha: 'sha1 numkeys<integer> key@0?* arg?*',
  eval_ro: 'script numkeys<integer> key@0?* arg?*',
  evalsha_ro: 'sha1 numkeys<integer> key@0?* arg?*',
  'script|debug': 'mode{yes=YES|sync=SYNC|no=NO}',
  'script|exists': 'sha1*',
  'script|flush': 'async{async=ASYNC|sync=SYNC}^6.2.0?',
  'script|load': 'script',
  info: 'section?*',
  'command|info': 'command-name?*',
  'command|docs': 'command-name?*',
  'command|list': 'filterby{module-name<string>=MODULE|category<string>=ACLCAT|pattern<pattern>=PATTERN}=FILTERBY?',
  'config|get': 'parameter(parameter)*',
  'config|set': 'parameter_value(parameter value)*',
  'client|tracking':
    'status{on=ON|off=OFF} client-id<integer>=REDIRECT? prefix<string>=PREFIX?*+ bcast=BCAST? optin=OPTIN? ' +
    'optout=OPTOUT? noloop=NOLOOP?',
  'client|caching': 'mode{yes=YES|no=NO}',
  'client|setname': 'connection-name',
  'client|list':
    'normal_master_replica_pubsub{normal=NORMAL|master=MASTER|replica=REPLICA|pubsub=PUBSUB}=TYPE^5.0.0? ' +
    'id(client-id<integer>*)=ID^6.2.0?',
  'client|kill':
    'filter{ip:port~2.8.12|new-format{client-id<integer>=ID^2.8.12?|normal_master_slave_pubsub{normal=NORMAL|' +
    'master=MASTER^3.2.0|slave=SLAVE|replica=REPLICA^5.0.0|pubsub=PUBSUB}=TYPE^2.8.12?|username<string>=USER?|' +
    'ip:port<string>=ADDR?|ip:port<string>=LADDR^6.2.0?|yes/no<string>=SKIPME?}*}',
  'client|reply': 'on_off_skip{on=ON|off=OFF|skip=SKIP}',
  'client|pause': 'timeout<integer> mode{write=WRITE|all=ALL}^6.2.0?',
  'client|unblock': 'client-id<integer> timeout_error{timeout=TIMEOUT|error=ERROR}?',
  'client|no-evict': 'enabled{on=ON|off=OFF}',
  bgsave: 'schedule=SCHEDULE^3.2.2?',
  shutdown: 'nosave_save{nosave=NOSAVE|save=SAVE}? now=NOW^7.0.0? force=FORCE^7.0.0? abort=ABORT^7.0.0?',
  lolwut: 'version<integer>=VERSION?',
  'slowlog|get': 'count<integer>?',
  'latency|graph': 'event',
  'latency|history': 'event',
  'latency|reset': 'event?*',
  'latency|histogram': 'command?*',
  'memory|usage': 'key@0 count<integer>=SAMPLES?',
  wait: 'numreplicas<integer> timeout<integer>',
  replicaof: 'args{host-port(host port<integer>)|no-one(no=NO one=ONE)}',
  slaveof: 'args{host-port(host port<integer>)|no-one(no=NO one=ONE)}',
  'cluster|countkeysinslot': 'slot<integer>',
  'cluster|getkeysinslot': 'slot<integer> count<integer>',
  'cluster|keyslot': 'key',
  'cluster|replicas': 'node-id',
  'cluster|slaves': 'node-id',
  failover: 'target(host port<integer> force=FORCE?)=TO? abort=ABORT? milliseconds<integer>=TIMEOUT?',
  'client|setinfo': 'attr{libname<string>=LIB-NAME|libver<string>=LIB-VER}',
  'client|no-touch': 'enabled{on=ON|off=OFF}',
  begin:
    'isolation{read-uncommitted(read=READ uncommitted=UNCOMMITTED)|read-committed(read=READ committed=COMMITTED)|' +
    'repeatable-read(repeatable=REPEATABLE read=READ)|snapshot=SNAPSHOT|serializable=SERIALIZABLE}=ISOLATION? ' +
    'readonly=READONLY? milliseconds<integer>=LOCKTIMEOUT?',
  rollback: 'savepoint<integer>=TO?',
  locktimeout: 'milliseconds<integer>',
  lockwait: 'mode{push=PUSH|number<integer>=CANCEL}',
  range: 'min max count<integer>=LIMIT? bytes<integer>=BYTES? rev=REV? what{keys=KEYS|count=COUNT}?',
  watchrange: 'min max',
  in: 'name command arg?*',
  'sub|open': 'name encoding=KEYS? encoding=VALUES?',
  'sub|drop': 'name',
  waitaof: 'numlocal<integer> numreplicas<integer> timeout<integer>',
  xwait: 'token milliseconds<integer>?',
  xmaxlag: 'milliseconds<integer>',
}

/** Versions of Redis, each with what it has changed. */
export const HISTORY: Readonly<Record<string, readonly (readonly [version: string, change: string])[]>> = {
  hello: [
    [
      '6.2.0',
      "`protover` made optional; when called without arguments the command reports the current connection's context.",
    ],
  ],
  auth: [['6.0.0', 'Added ACL style (username and password).']],
  set: [
    ['2.6.12', 'Added the `EX`, `PX`, `NX` and `XX` options.'],
    ['6.0.0', 'Added the `KEEPTTL` option.'],
    ['6.2.0', 'Added the `GET`, `EXAT` and `PXAT` option.'],
    ['7.0.0', 'Allowed the `NX` and `GET` options to be used together.'],
  ],
  bitcount: [['7.0.0', 'Added the `BYTE|BIT` option.']],
  bitpos: [['7.0.0', 'Added the `BYTE|BIT` option.']],
  exists: [['3.0.3', 'Accepts multiple `key` arguments.']],
  scan: [['6.0.0', 'Added the `TYPE` subcommand.']],
  renamenx: [['3.2.0', 'The command no longer returns an error when source and destination names are the same.']],
  flushdb: [
    ['4.0.0', 'Added the `ASYNC` flushing mode modifier.'],
    ['6.2.0', 'Added the `SYNC` flushing mode modifier.'],
  ],
  flushall: [
    ['4.0.0', 'Added the `ASYNC` flushing mode modifier.'],
    ['6.2.0', 'Added the `SYNC` flushing mode modifier.'],
  ],
  restore: [
    ['3.0.0', 'Added the `REPLACE` modifier.'],
    ['5.0.0', 'Added the `ABSTTL` modifier.'],
    ['5.0.0', 'Added the `IDLETIME` and `FREQ` options.'],
  ],
  expire: [['7.0.0', 'Added options: `NX`, `XX`, `GT` and `LT`.']],
  pexpire: [['7.0.0', 'Added options: `NX`, `XX`, `GT` and `LT`.']],
  expireat: [['7.0.0', 'Added options: `NX`, `XX`, `GT` and `LT`.']],
  pexpireat: [['7.0.0', 'Added options: `NX`, `XX`, `GT` and `LT`.']],
  ttl: [['2.8.0', 'Added the -2 reply.']],
  pttl: [['2.8.0', 'Added the -2 reply.']],
  'script|flush': [['6.2.0', 'Added the `ASYNC` and `SYNC` flushing mode modifiers.']],
  info: [['7.0.0', 'Added support for taking multiple section arguments.']],
  'command|info': [['7.0.0', 'Allowed to be called with no argument to get info on all commands.']],
  'config|get': [['7.0.0', 'Added the ability to pass multiple pattern parameters in one call']],
  'config|set': [['7.0.0', 'Added the ability to set multiple parameters in one call.']],
  'client|list': [
    ['2.8.12', 'Added unique client `id` field.'],
    ['5.0.0', 'Added optional `TYPE` filter.'],
    ['6.0.0', 'Added `user` field.'],
    ['6.2.0', 'Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.'],
    ['7.0.0', 'Added `resp`, `multi-mem`, `rbs` and `rbp` fields.'],
    ['7.0.3', 'Added `ssub` field.'],
  ],
  'client|kill': [
    ['2.8.12', 'Added new filter format.'],
    ['2.8.12', '`ID` option.'],
    ['3.2.0', 'Added `master` type in for `TYPE` option.'],
    ['5.0.0', 'Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.'],
    ['6.2.0', '`LADDR` option.'],
  ],
  'client|pause': [['6.2.0', '`CLIENT PAUSE WRITE` mode added along with the `mode` option.']],
  bgsave: [['3.2.2', 'Added the `SCHEDULE` option.']],
  shutdown: [['7.0.0', 'Added the `NOW`, `FORCE` and `ABORT` modifiers.']],
  'slowlog|get': [['4.0.0', 'Added client IP address, port and name to the reply.']],
  'cluster|slots': [
    ['4.0.0', 'Added node IDs.'],
    ['7.0.0', 'Added additional networking metadata field.'],
  ],
}

/** Commands that Redis advises against, and what it advises instead. */
export const DEPRECATED: Readonly<Record<string, { readonly since: string; readonly replacedBy: string }>> = {
  getset: { since: '6.2.0', replacedBy: '`SET` with the `!GET` argument' },
  substr: { since: '2.0.0', replacedBy: '`GETRANGE`' },
  slaveof: { since: '5.0.0', replacedBy: '`REPLICAOF`' },
  'cluster|slaves': { since: '5.0.0', replacedBy: '`CLUSTER REPLICAS`' },
  'cluster|slots': { since: '7.0.0', replacedBy: '`CLUSTER SHARDS`' },
}
