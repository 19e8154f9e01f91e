// Belfry from Node, 18 or newer, without packages.
//
//     node belfry.mjs token alice 'room:*'      a token with which alice may read and write these, for an hour
//     node belfry.mjs publish room:1 'hello'    prints the event's id when it is on the hub's disk

import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const url = process.env.BELFRY_URL ?? 'http://127.0.0.1:8080/events';
const secret = process.env.BELFRY_SECRET ?? '/etc/belfry/secret';       // the file that token_keys names

/** A JSON Web Token; rights are subscribe, publish, presence: lists of channels and patterns. */
export function token(user, rights, seconds = 3600) {
    const part = (data) => Buffer.from(data).toString('base64url');
    const iat = Math.floor(Date.now() / 1000);
    const claims = { sub: user, iat, exp: iat + seconds, belfry: rights };
    const signed = [{ alg: 'HS256' }, claims].map((each) => part(JSON.stringify(each))).join('.');
    const key = readFileSync(secret, 'utf8').trim();
    return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** The event's id. It is tried again under one key, so that it is published once, whatever happens. */
export async function publish(channel, data, event) {
    const post = {
        method: 'POST',
        body: JSON.stringify({ channel, data, event }),
        headers: {
            'Content-Type': 'application/json',
            'Idempotency-Key': randomUUID(),
            Authorization: `Bearer ${token('application', { publish: [channel] }, 60)}`,
        },
    };
    for (const pause of [300, 1000, 3000, 0]) {
        const answer = await fetch(`${url}/send`, { ...post, signal: AbortSignal.timeout(15000) })
            .catch((error) => ({ status: 503, text: () => String(error.cause ?? error) }));
        if (answer.status === 200)
            return (await answer.json()).id;
        if (!pause || ![429, 503].includes(answer.status))
            throw new Error(await answer.text());
        await sleep(pause);
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const [what, first, ...rest] = process.argv.slice(2);
    if (what === 'token' && first)
        console.log(token(first, { subscribe: rest, publish: rest }));
    else if (what === 'publish' && rest.length === 1)
        console.log(await publish(first, { text: rest[0] }));
    else
        throw new Error('usage: belfry.mjs token USER CHANNEL... | publish CHANNEL TEXT');
}
