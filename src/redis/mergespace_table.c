// Which commands a mergeable key space honours, and how.
#include "redis/mergespace_data.h"
#include "redis/table.h"

// A row whose ordered function works on any key space (sets, maps) has that one.
static const struct {
    sk_command_run *ordered, *merge;
} runs[] = {
    {sk_run_set, sk_merge_set}, {sk_run_setex, sk_merge_setex}, {sk_run_psetex, sk_merge_psetex}, {sk_run_get, sk_merge_get},
    {sk_run_mget, sk_merge_mget}, {sk_run_strlen, sk_merge_strlen}, {sk_run_getrange, sk_merge_getrange},
    {sk_run_incr, sk_merge_incr}, {sk_run_decr, sk_merge_decr}, {sk_run_incrby, sk_merge_incrby},
    {sk_run_decrby, sk_merge_decrby}, {sk_run_incrbyfloat, sk_merge_incrbyfloat}, {sk_run_del, sk_merge_del},
    {sk_run_exists, sk_merge_exists}, {sk_run_type, sk_merge_type}, {sk_run_dbsize, sk_merge_dbsize},
    {sk_run_flush, sk_merge_flush}, {sk_run_keys, sk_merge_keys}, {sk_run_scan, sk_merge_scan},
    {sk_run_randomkey, sk_merge_randomkey}, {sk_run_siblings, sk_merge_siblings},
    {sk_run_object_encoding, sk_merge_encoding}, {sk_run_object_help, sk_run_object_help},
    {sk_run_expire, sk_merge_expire}, {sk_run_pexpire, sk_merge_pexpire}, {sk_run_expireat, sk_merge_expireat},
    {sk_run_pexpireat, sk_merge_pexpireat}, {sk_run_persist, sk_merge_persist}, {sk_run_ttl, sk_merge_ttl},
    {sk_run_pttl, sk_merge_pttl}, {sk_run_expiretime, sk_merge_expiretime}, {sk_run_pexpiretime, sk_merge_pexpiretime},
    {sk_run_sadd, sk_run_sadd}, {sk_run_srem, sk_run_srem}, {sk_run_scard, sk_run_scard}, {sk_run_sismember, sk_run_sismember},
    {sk_run_smismember, sk_run_smismember}, {sk_run_smembers, sk_run_smembers}, {sk_run_sscan, sk_run_sscan},
    {sk_run_srandmember, sk_run_srandmember}, {sk_run_hset, sk_run_hset}, {sk_run_hmset, sk_run_hmset},
    {sk_run_hget, sk_run_hget}, {sk_run_hmget, sk_run_hmget}, {sk_run_hdel, sk_run_hdel}, {sk_run_hlen, sk_run_hlen},
    {sk_run_hexists, sk_run_hexists}, {sk_run_hstrlen, sk_run_hstrlen}, {sk_run_hgetall, sk_run_hgetall},
    {sk_run_hkeys, sk_run_hkeys}, {sk_run_hvals, sk_run_hvals}, {sk_run_hscan, sk_run_hscan},
    {sk_run_hincrby, sk_run_hincrby}, {sk_run_hincrbyfloat, sk_run_hincrbyfloat},
};

sk_command_run *sk_merge_find_run(const sk_command *command)
{
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        if (runs[i].ordered == command->run) return runs[i].merge;
    }
    return NULL;
}

void sk_merge_refuse(sk_command_call *call, const char *what)
{
    sk_reply_errorf(&call->reply,
                    "ERR %s needs one order of all changes, which a space that always takes writes does not have; use it in a "
                    "space of PROTOCOL raft", what);
}
