// ioredis: sends the commands of the standard input (a JSON list of lists) to the server of the argument (redis://host:port/n), in pipelines;
// prints the replies as a JSON list, an error as its text.
import { readFileSync } from 'node:fs';
import Redis from 'ioredis';

const commands = JSON.parse(readFileSync(0, 'utf8'));
const client = new Redis(process.argv[2], { maxRetriesPerRequest: 3 });
const replies = [];
for (let at = 0; at < commands.length; at += 500) {
  const pipeline = client.pipeline();
  for (const [name, ...rest] of commands.slice(at, at + 500)) pipeline.call(name, ...rest);
  for (const [error, reply] of await pipeline.exec()) replies.push(error ? error.message : reply);
}
await client.quit();
process.stdout.write(JSON.stringify(replies));
