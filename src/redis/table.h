// The rows of the data families and the index over their names.
#ifndef SK_REDIS_TABLE_H
#define SK_REDIS_TABLE_H

#include "redis/command.h"

enum { SK_COMMAND_NAME_MAX = 32, SK_COMMAND_INDEX_SIZE = 256, SK_COMMAND_INDEX_NONE = 255 };

// An open-addressed table, made ahead: a name's row is at its hash or in the slots behind it, before the first empty one. The unit test
// `commands` checks it and, called with --index, prints the one that fits the rows.
extern const uint8_t sk_command_index[SK_COMMAND_INDEX_SIZE];
uint8_t sk_command_hash(sk_slice name);

// In the family files.
sk_command_run sk_run_set, sk_run_setnx, sk_run_setex, sk_run_psetex, sk_run_get, sk_run_getex, sk_run_getdel, sk_run_getset;
sk_command_run sk_run_mget, sk_run_mset, sk_run_msetnx, sk_run_append, sk_run_strlen, sk_run_getrange, sk_run_setrange;
sk_command_run sk_run_incr, sk_run_decr, sk_run_incrby, sk_run_decrby, sk_run_incrbyfloat;
sk_command_run sk_run_del, sk_run_exists, sk_run_type, sk_run_keys, sk_run_scan, sk_run_randomkey, sk_run_rename, sk_run_renamenx;
sk_command_run sk_run_copy, sk_run_object_encoding, sk_run_object_refcount, sk_run_object_idletime, sk_run_object_freq;
sk_command_run sk_run_object_help, sk_run_flush, sk_run_dbsize;
sk_command_run sk_run_expire, sk_run_pexpire, sk_run_expireat, sk_run_pexpireat, sk_run_ttl, sk_run_pttl, sk_run_expiretime;
sk_command_run sk_run_pexpiretime, sk_run_persist;
sk_command_run sk_run_sadd, sk_run_srem, sk_run_scard, sk_run_sismember, sk_run_smismember, sk_run_smembers, sk_run_sscan;
sk_command_run sk_run_srandmember, sk_run_spop, sk_run_siblings;
sk_command_run sk_run_hset, sk_run_hmset, sk_run_hsetnx, sk_run_hget, sk_run_hmget, sk_run_hdel, sk_run_hlen, sk_run_hexists;
sk_command_run sk_run_hstrlen, sk_run_hgetall, sk_run_hkeys, sk_run_hvals, sk_run_hscan, sk_run_hincrby, sk_run_hincrbyfloat;

#endif
