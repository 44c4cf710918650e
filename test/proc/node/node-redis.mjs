// node-redis with every node; arguments: the ports.
import assert from 'node:assert/strict';
import { createClient } from 'redis';

const ports = process.argv.slice(2).map(Number);
const clients = [];
for (const port of ports) {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  await client.connect();
  clients.push(client);
}
const [one, two, three] = clients;
assert.equal(await one.ping(), 'PONG');
assert.equal(await one.set('nr:a', '1'), 'OK');
assert.equal(await two.get('nr:a'), '1');
assert.equal(await three.incrBy('nr:a', 4), 5);
assert.equal(await one.set('nr:x', 'v', { NX: true, PX: 60000 }), 'OK');
assert.equal(await two.set('nr:x', 'w', { NX: true }), null);
assert.ok((await three.pTTL('nr:x')) > 0);
assert.equal(await one.mSet({ 'nr:m1': 'a', 'nr:m2': 'b' }), 'OK');
assert.deepEqual(await two.mGet(['nr:m1', 'nr:m2', 'nr:m3']), ['a', 'b', null]);
assert.equal(await three.exists(['nr:m1', 'nr:m2']), 2);
assert.equal(await one.del(['nr:m1', 'nr:m2']), 2);
const order = await Promise.all(Array.from({ length: 100 }, () => three.incr('nr:order')));
assert.deepEqual(order.map(Number), Array.from({ length: 100 }, (_, i) => i + 1));
await assert.rejects(one.sendCommand(['NOSUCH']), /unknown command/);
for (const client of clients) await client.close();
console.log('all good');
