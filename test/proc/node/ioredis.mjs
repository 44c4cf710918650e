// ioredis with every node; arguments: the ports.
import assert from 'node:assert/strict';
import Redis from 'ioredis';

const ports = process.argv.slice(2).map(Number);
const clients = ports.map((port) => new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 3 }));
const [one, two, three] = clients;
await Promise.all(clients.map((client) => client.ping()));
assert.equal(await one.set('io:a', '1'), 'OK');
assert.equal(await two.get('io:a'), '1');
assert.equal(await three.incr('io:a'), 2);
assert.equal(await one.set('io:nx', 'x', 'PX', 60000, 'NX'), 'OK');
assert.equal(await two.set('io:nx', 'y', 'PX', 60000, 'NX'), null);
assert.ok((await three.pttl('io:nx')) > 0);
assert.equal(await one.mset({ 'io:m1': 'a', 'io:m2': 'b' }), 'OK');
assert.deepEqual(await two.mget('io:m1', 'io:m2', 'io:m3'), ['a', 'b', null]);
const pipeline = three.pipeline();
for (let i = 0; i < 200; i++) pipeline.set(`io:p${i}`, i);
const results = await pipeline.exec();
assert.ok(results.every(([error, value]) => error === null && value === 'OK'));
const blob = Buffer.alloc(100000, 7);
await one.set('io:blob', blob);
assert.ok(blob.equals(await three.getBuffer('io:blob')));
await assert.rejects(one.call('NOSUCH'), /unknown command/);
await assert.rejects(two.incr('io:m1'), /not an integer/);
// Commands of one connection take effect in the order sent, whichever node runs them.
const order = await Promise.all(Array.from({ length: 100 }, () => two.incr('io:order')));
assert.deepEqual(order, Array.from({ length: 100 }, (_, i) => i + 1));
await Promise.all(clients.map((client) => client.quit()));
console.log('all good');
