// fake -- a worker as small as a test needs it: streams that the test writes and ends, answers that it gives.

import { createServer } from 'node:http';

const until = async (found) => {
    for (let tries = 0; tries < 1000; tries += 1) {
        const what = found();
        if (what)
            return what;
        await new Promise((done) => { setTimeout(done, 5); });
    }
    throw new Error(`never came: ${found}`);
};

class Fake {
    streams = [];                   // {query, headers, res}
    asked = [];                     // {path, body, headers}
    answers = {};                   // path -> (body, query) => [status, JSON, headers]
    stream = (at) => this.connected(at);

    async start() {
        this.server = createServer((req, res) => this.serve(req, res));
        await new Promise((done) => { this.server.listen(0, '127.0.0.1', done); });
        this.url = `http://127.0.0.1:${this.server.address().port}/events`;
        return this;
    }

    async serve(req, res) {
        const { pathname, searchParams: query } = new URL(req.url, this.url);
        const path = pathname.slice('/events'.length);
        let body = '';
        for await (const part of req)
            body += part;
        this.asked.push({ path, query, body: body && JSON.parse(body), headers: req.headers });
        if (this.answers[path]) {
            const [status, said, headers] = await this.answers[path](body && JSON.parse(body), query, req);
            res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
            res.end(said && JSON.stringify(said));
        } else if (path === '') {
            const at = { query, res, headers: req.headers };
            this.streams.push(at);
            this.stream(at);
        } else {
            res.writeHead(404).end('{}');
        }
    }

    connected({ query, res }, more = {}) {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' });
        const cursor = query.get('cursor') ?? 'aaaaaaaa-0';
        res.write(`retry: 10\n:\nid: ${cursor}\nevent: connected\ndata: ${JSON.stringify({
            clientId: query.get('client'), user: null, channels: ['all', ...query.getAll('channel')], cursor, ping: 15, ...more,
        })}\n\n`);
    }

    event(n, channel = 'room', more = {}) {
        return { id: `aaaaaaaa-${n}`, channel, event: 'n', data: n, user: null, time: 1, ...more };
    }

    tell(n, channel, more) {
        const event = this.event(n, channel, more);
        this.streams.at(-1).res.write(`${event.id ? `id: ${event.id}\n` : ''}data: ${JSON.stringify(event)}\n\n`);
    }

    count(path) {
        return this.asked.filter((one) => one.path === path).length;
    }

    stop() {
        this.server.closeAllConnections();
        return new Promise((done) => { this.server.close(done); });
    }
}

export const fake = () => new Fake().start();
export { until };
