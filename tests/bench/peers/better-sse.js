// better-sse on node's own server: GET /events?channel=NAME streams, POST /pub?channel=NAME broadcasts.
import http from 'node:http';
import { createChannel, createSession } from 'better-sse';

const channels = new Map();

function channelOf(request) {
    const name = new URL(request.url, 'http://localhost').searchParams.get('channel');
    if (!channels.has(name)) channels.set(name, createChannel());
    return channels.get(name);
}

async function answer(request, response) {
    const channel = channelOf(request);
    if (request.method === 'GET') {
        channel.register(await createSession(request, response));
        return;
    }
    let body = '';
    for await (const part of request) body += part;
    channel.broadcast(body);
    response.end();
}

http.createServer(answer).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 },
    () => console.log('ready'));
